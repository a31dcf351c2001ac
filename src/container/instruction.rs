//! Dockerfile instructions over a configuration, as `commit` and `import` take them with `--change`.

use super::config::{Config, set_env};
use super::health::HealthCheck;

impl Config {
    /// Does what an instruction says: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR.
    ///
    /// # Errors
    /// A sentence that names the instruction and says what was expected.
    pub fn change(&mut self, line: &str) -> Result<(), String> {
        let wrong = |why: &str| format!("--change {line:?}: {why}");
        let (word, rest) = line.trim().split_once(char::is_whitespace).ok_or_else(|| wrong("expected an instruction and a value"))?;
        let rest = rest.trim();
        let words = || -> Result<Vec<String>, String> {
            if rest.starts_with('[') {
                serde_json::from_str(rest).map_err(|error| wrong(&error.to_string()))
            } else {
                Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
            }
        };
        match word.to_ascii_uppercase().as_str() {
            "CMD" => self.cmd = words()?,
            "ENTRYPOINT" => self.entrypoint = words()?,
            "HEALTHCHECK" => self.healthcheck = Some(HealthCheck::instruction(rest).map_err(|why| wrong(&why))?),
            "USER" => rest.clone_into(&mut self.user),
            "WORKDIR" if rest.starts_with('/') => rest.clone_into(&mut self.working_dir),
            "STOPSIGNAL" => self.stop_signal = Some(rest.to_owned()),
            "ENV" => {
                let entry = rest.split_once('=').or_else(|| rest.split_once(' ')).ok_or_else(|| wrong("expected NAME=VALUE"))?;
                set_env(&mut self.env, &format!("{}={}", entry.0, entry.1.trim_matches('"')));
            }
            "LABEL" => {
                let (name, value) = rest.split_once('=').ok_or_else(|| wrong("expected NAME=VALUE"))?;
                self.labels.insert(name.to_owned(), value.trim_matches('"').to_owned());
            }
            "EXPOSE" => self.exposed_ports.extend(rest.split_whitespace().map(|port| if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") })),
            "VOLUME" => self.volumes.extend(if rest.starts_with('[') { words()? } else { rest.split_whitespace().map(str::to_owned).collect() }),
            _ => return Err(wrong("expected CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, VOLUME or an absolute WORKDIR")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_change_a_configuration() {
        let mut config = Config { env: vec!["A=1".to_owned()], ..Config::default() };
        for line in
            ["CMD [\"a\", \"b c\"]", "entrypoint run it", "ENV A=\"2\"", "ENV B 3", "EXPOSE 80 53/udp", "LABEL x=y", "USER 7", "VOLUME /a /b", "WORKDIR /w"]
        {
            config.change(line).unwrap();
        }
        let expected = Config {
            cmd: vec!["a".to_owned(), "b c".to_owned()],
            entrypoint: ["/bin/sh", "-c", "run it"].map(str::to_owned).to_vec(),
            env: vec!["A=2".to_owned(), "B=3".to_owned()],
            exposed_ports: ["80/tcp", "53/udp"].map(str::to_owned).into(),
            labels: [("x".to_owned(), "y".to_owned())].into(),
            user: "7".to_owned(),
            volumes: ["/a", "/b"].map(str::to_owned).into(),
            working_dir: "/w".to_owned(),
            ..Config::default()
        };
        assert_eq!(config, expected);
        for (line, why) in [
            ("CMD", "expected an instruction"),
            ("CMD [1]", "invalid type"),
            ("FROM x", "expected CMD"),
            ("WORKDIR here", "absolute"),
            ("LABEL x", "NAME=VALUE"),
        ] {
            let said = config.change(line).unwrap_err();
            assert!(said.contains(why) && said.contains(line.split(' ').next().unwrap()), "{said}");
        }
        assert_eq!(config, expected);
    }
}
