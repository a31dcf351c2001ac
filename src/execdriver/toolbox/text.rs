//! Applets for text: cat, echo, head, tail, grep, wc, sort.

use super::call::{Call, Options};
use super::pattern::Pattern;
use super::walk::Walk;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;

/// The next line with its end; `None` after the last one. A failure to read is told, and ends the file.
fn line<'a>(call: &mut Call<'_>, path: &OsStr, input: &mut BufReader<Box<dyn Read>>, line: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    line.clear();
    match input.read_until(b'\n', line) {
        Ok(0) => None,
        Ok(_) => Some(line),
        Err(error) => {
            call.fail(path, &error);
            None
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// `cat`
pub fn cat(call: &mut Call<'_>) -> io::Result<()> {
    if call.options("").is_none() {
        return Ok(());
    }
    let mut buffer = vec![0; 1 << 16];
    for path in call.arguments_or("-") {
        let Some(mut file) = call.open(&path) else { continue };
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    call.out.write_all(&buffer[..length])?;
                    // Whoever types into it wants to see it.
                    call.out.flush()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    call.fail(&path, &error);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// `echo`; what is no option of its own is text.
pub fn echo(call: &mut Call<'_>) -> io::Result<()> {
    let bare = call.arguments.first().is_some_and(|first| first == "-n");
    let words: Vec<&[u8]> = call.arguments.iter().skip(usize::from(bare)).map(|word| word.as_bytes()).collect();
    call.out.write_all(&words.join(&b' '))?;
    call.out.write_all(if bare { b"" } else { b"\n" })
}

/// How many lines, and of what, for `head` and `tail`: `-n N` or `-N`.
fn lines_of(call: &mut Call<'_>) -> Option<(usize, Vec<OsString>)> {
    if let Some(number) = call.arguments.first().and_then(|first| first.to_str()?.strip_prefix('-')?.parse::<usize>().ok()) {
        call.arguments.splice(..1, ["-n".into(), number.to_string().into()]);
    }
    let options = call.options("n:")?;
    let count = match options.value(b'n') {
        Some(text) => call.number(text)?,
        None => 10,
    };
    Some((count, call.arguments_or("-")))
}

fn header(call: &mut Call<'_>, path: &OsStr, at: usize, files: usize) -> io::Result<()> {
    if files > 1 {
        let parts = [if at == 0 { &b""[..] } else { b"\n" }, b"==> ", path.as_bytes(), b" <==\n"];
        call.out.write_all(&parts.concat())?;
    }
    Ok(())
}

/// `head`
pub fn head(call: &mut Call<'_>) -> io::Result<()> {
    let Some((count, files)) = lines_of(call) else { return Ok(()) };
    for (at, path) in files.iter().enumerate() {
        let Some(file) = call.open(path) else { continue };
        header(call, path, at, files.len())?;
        let (mut input, mut text) = (BufReader::new(file), Vec::new());
        for _ in 0..count {
            let Some(line) = line(call, path, &mut input, &mut text) else { break };
            call.out.write_all(line)?;
        }
    }
    Ok(())
}

/// `tail`
pub fn tail(call: &mut Call<'_>) -> io::Result<()> {
    let Some((count, files)) = lines_of(call) else { return Ok(()) };
    for (at, path) in files.iter().enumerate() {
        let Some(file) = call.open(path) else { continue };
        header(call, path, at, files.len())?;
        let (mut input, mut text, mut last) = (BufReader::new(file), Vec::new(), VecDeque::new());
        while let Some(line) = line(call, path, &mut input, &mut text) {
            last.push_back(line.to_vec());
            if last.len() > count {
                last.pop_front();
            }
        }
        for line in last {
            call.out.write_all(&line)?;
        }
    }
    Ok(())
}

/// `grep`: 0 if a line matched, 1 if none did, 2 if something went wrong.
pub fn grep(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("Fchilnqrv") else { return Ok(()) };
    if call.arguments.is_empty() {
        call.refuse("a pattern is missing");
        return Ok(());
    }
    let text = call.arguments.remove(0);
    let pattern = if options.has(b'F') { Ok(Pattern::fixed(text.as_bytes())) } else { Pattern::of_lines(text.as_bytes()) };
    let pattern = match pattern {
        Ok(pattern) if options.has(b'i') => pattern.in_any_case(),
        Ok(pattern) => pattern,
        Err(why) => {
            call.refuse(&format!("{}: {why}", text.to_string_lossy()));
            return Ok(());
        }
    };
    let files = if options.has(b'r') { regular_files(call) } else { call.arguments_or("-") };
    let names = !options.has(b'h') && (files.len() > 1 || options.has(b'r'));
    let mut found = false;
    for path in files {
        let Some(file) = call.open(&path) else { continue };
        found |= grep_one(call, &options, &pattern, &path, file, names)?;
        if found && options.has(b'q') {
            break;
        }
    }
    call.status = match (found, call.status) {
        (true, 0) => 0,
        (false, 0) => 1,
        _ => 2,
    };
    Ok(())
}

/// The regular files below the arguments.
fn regular_files(call: &mut Call<'_>) -> Vec<OsString> {
    let roots = call.arguments_or(".");
    let mut files = Vec::new();
    for root in roots {
        for (path, found) in Walk::new(root.into()) {
            match found {
                Ok(meta) if meta.is_file() => files.push(path.into_os_string()),
                Ok(_) => {}
                Err(error) => call.fail(path, &error),
            }
        }
    }
    files
}

fn grep_one(call: &mut Call<'_>, options: &Options, pattern: &Pattern, path: &OsStr, file: Box<dyn Read>, names: bool) -> io::Result<bool> {
    let (mut input, mut text, mut count) = (BufReader::new(file), Vec::new(), 0);
    let prefix = if names { [path.as_bytes(), b":"].concat() } else { Vec::new() };
    let mut number = 0;
    while let Some(line) = line(call, path, &mut input, &mut text) {
        number += 1;
        let line = without_end(line);
        if pattern.matches(line) == options.has(b'v') {
            continue;
        }
        count += 1;
        if options.has(b'q') || options.has(b'l') {
            break;
        }
        if !options.has(b'c') {
            let number = if options.has(b'n') { format!("{number}:") } else { String::new() };
            call.out.write_all(&[&prefix, number.as_bytes(), line, b"\n"].concat())?;
        }
    }
    if options.has(b'l') && count > 0 && !options.has(b'q') {
        call.out.write_all(&[path.as_bytes(), b"\n"].concat())?;
    } else if options.has(b'c') && !options.has(b'q') {
        call.out.write_all(&[&prefix[..], format!("{count}\n").as_bytes()].concat())?;
    }
    Ok(count > 0)
}

/// `wc`: lines, words, bytes.
pub fn wc(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("clw") else { return Ok(()) };
    let all = !options.has(b'c') && !options.has(b'l') && !options.has(b'w');
    let files = call.arguments_or("-");
    let mut total = [0u64; 3];
    let tell = |out: &mut dyn Write, counts: [u64; 3], name: &[u8]| {
        let shown = [b'l', b'w', b'c'].iter().zip(counts).filter(|(letter, _)| all || options.has(**letter));
        let text = shown.map(|(_, count)| format!("{count:>7}")).collect::<Vec<_>>().join(" ");
        out.write_all(&[text.as_bytes(), if name == b"-" { b"" } else { b" " }, if name == b"-" { b"" } else { name }, b"\n"].concat())
    };
    for path in &files {
        let Some(file) = call.open(path) else { continue };
        let (mut input, mut text, mut counts) = (BufReader::new(file), Vec::new(), [0u64; 3]);
        while let Some(line) = line(call, path, &mut input, &mut text) {
            let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
            counts = [counts[0] + u64::from(line.ends_with(b"\n")), counts[1] + words as u64, counts[2] + line.len() as u64];
        }
        total = [0, 1, 2].map(|at| total[at] + counts[at]);
        tell(&mut *call.out, counts, path.as_bytes())?;
    }
    if files.len() > 1 {
        tell(&mut *call.out, total, b"total")?;
    }
    Ok(())
}

/// `sort`, by bytes or by the numbers at the beginnings.
pub fn sort(call: &mut Call<'_>) -> io::Result<()> {
    let Some(options) = call.options("nru") else { return Ok(()) };
    let mut lines = Vec::new();
    for path in call.arguments_or("-") {
        let Some(file) = call.open(&path) else { continue };
        let (mut input, mut text) = (BufReader::new(file), Vec::new());
        while let Some(line) = line(call, &path, &mut input, &mut text) {
            lines.push(without_end(line).to_vec());
        }
    }
    let number = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start();
        let length = text.bytes().enumerate().take_while(|(at, byte)| byte.is_ascii_digit() || *byte == b'.' || (*at == 0 && *byte == b'-')).count();
        text[..length].parse::<f64>().unwrap_or(0.0)
    };
    if options.has(b'n') {
        lines.sort_by(|one, other| number(one).total_cmp(&number(other)).then_with(|| one.cmp(other)));
    } else {
        lines.sort();
    }
    if options.has(b'u') {
        lines.dedup();
    }
    if options.has(b'r') {
        lines.reverse();
    }
    for line in lines {
        call.out.write_all(&[&line[..], b"\n"].concat())?;
    }
    Ok(())
}
