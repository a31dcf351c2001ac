//! Dockerfile instructions over a configuration, as `commit` and `import` take them with `--change`.

use super::config::{Config, set_env};
use super::health::HealthCheck;
use super::{port, signal};

impl Config {
    /// Does what an instruction says: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR.
    ///
    /// # Errors
    /// A sentence that names the instruction and says what was expected.
    pub fn change(&mut self, line: &str) -> Result<(), String> {
        let wrong = |why: &str| format!("--change {line:?}: {why}");
        let (word, rest) = line.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("expected an instruction and a value"))?;
        let rest = rest.trim();
        // What is no list of words is a line for a shell, as in `[ -e file ] && run`.
        let words = || serde_json::from_str(rest).unwrap_or_else(|_| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()]);
        match word.to_ascii_uppercase().as_str() {
            "CMD" => self.cmd = words(),
            "ENTRYPOINT" => self.entrypoint = words(),
            "HEALTHCHECK" => self.healthcheck = Some(HealthCheck::instruction(rest).map_err(|why| wrong(&why))?),
            "USER" => rest.clone_into(&mut self.user),
            "WORKDIR" if rest.starts_with('/') => rest.clone_into(&mut self.working_dir),
            "STOPSIGNAL" if signal::number(rest).is_some() => self.stop_signal = Some(rest.to_owned()),
            "STOPSIGNAL" => return Err(wrong("expected a name such as TERM, or a number from 1 to 64")),
            "ENV" => pairs(rest).map_err(wrong)?.iter().for_each(|(name, value)| set_env(&mut self.env, &format!("{name}={value}"))),
            "LABEL" => self.labels.extend(pairs(rest).map_err(wrong)?),
            "EXPOSE" => {
                let ports: Result<Vec<Vec<String>>, String> = rest.split_whitespace().map(port::exposed).collect();
                self.exposed_ports.extend(ports.map_err(|why| wrong(&why))?.into_iter().flatten());
            }
            "VOLUME" => self.volumes.extend(serde_json::from_str(rest).unwrap_or_else(|_| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>())),
            _ => return Err(wrong("expected CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or an absolute WORKDIR")),
        }
        Ok(())
    }
}

/// What `ENV` and `LABEL` set: `NAME=VALUE` with quotes and backslashes, one or more, or one name and the rest of the line.
///
/// Source: the reference of Dockerfiles, ENV.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    const EXPECTED: &str = "expected NAME=VALUE";
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (name, value) = text.split_once(char::is_whitespace).ok_or(EXPECTED)?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let named = |word: &String| word.split_once('=').filter(|(name, _)| !name.is_empty()).map(|(name, value)| (name.to_owned(), value.to_owned()));
    split(text)?.iter().map(|word| named(word).ok_or(EXPECTED)).collect()
}

/// The words of a line, out of their quotes.
fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, Some(open)) if open == character => quote = None,
            // Within single quotes it is one of the characters.
            ('\\', None | Some('"')) => word.get_or_insert_default().push(characters.next().ok_or("a backslash stands at the end")?),
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed") } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_change_a_configuration() {
        let mut config = Config { env: vec!["A=1".to_owned()], ..Config::default() };
        for line in [
            "CMD [\"a\", \"b c\"]",
            "entrypoint run it",
            "ENV A=\"2\" C='4 5' D=6\\ 7",
            "ENV B 3 and more",
            "EXPOSE 80 53/udp 90-91",
            "LABEL x=y \"k.q\"=\"v w\"",
            "STOPSIGNAL RTMIN+3",
            "USER 7",
            "VOLUME /a /b",
            "WORKDIR /w",
        ] {
            config.change(line).unwrap();
        }
        let expected = Config {
            cmd: vec!["a".to_owned(), "b c".to_owned()],
            entrypoint: ["/bin/sh", "-c", "run it"].map(str::to_owned).to_vec(),
            env: ["A=2", "C=4 5", "D=6 7", "B=3 and more"].map(str::to_owned).to_vec(),
            exposed_ports: ["80/tcp", "53/udp", "90/tcp", "91/tcp"].map(str::to_owned).into(),
            labels: [("x", "y"), ("k.q", "v w")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            stop_signal: Some("RTMIN+3".to_owned()),
            user: "7".to_owned(),
            volumes: ["/a", "/b"].map(str::to_owned).into(),
            working_dir: "/w".to_owned(),
            ..Config::default()
        };
        assert_eq!(config, expected);
        for (line, why) in [
            ("CMD", "expected an instruction"),
            ("FROM x", "expected CMD"),
            ("WORKDIR here", "absolute"),
            ("LABEL x", "NAME=VALUE"),
            ("ENV A=1 B", "NAME=VALUE"),
            ("ENV A=\"1", "quote"),
            ("ENV =1", "NAME=VALUE"),
            ("EXPOSE abc", "abc"),
            ("EXPOSE 1:2", "1:2"),
            ("STOPSIGNAL NOSUCH", "TERM"),
        ] {
            let said = config.change(line).unwrap_err();
            assert!(said.contains(why) && said.contains(line.split(' ').next().unwrap()), "{said}");
        }
        assert_eq!(config, expected);
        config.change("CMD [ -e /x ] && run").unwrap();
        assert_eq!(config.cmd[2], "[ -e /x ] && run");
    }
}
