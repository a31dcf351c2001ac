//! Tests of the batch language.

use super::*;
use proptest::prelude::*;

fn variables() -> Variables {
    [("A", "a b"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}

fn words(text: &str) -> Vec<Vec<String>> {
    Script::parse(text).unwrap().statements.iter().map(|statement| statement.expand(&variables()).unwrap()).collect()
}

fn error(text: &str) -> String {
    Script::parse(text).unwrap_err().to_string()
}

#[test]
fn quotes_and_variables() {
    assert_eq!(words("run -d 'a b' \"c $A\" e\\ f ${A}g $EMPTY '' \"\""), [["run", "-d", "a b", "c a b", "e f", "a bg", "", "", ""]]);
    assert_eq!(words(r#"echo "\"\\\$A\n" '\n$A' a"b"'c' $ 5$"#), [["echo", "\"\\$A\\n", "\\n$A", "abc", "$", "5$"]]);
    assert_eq!(words("ps --format {{.Names}} --filter name=web a#b *"), [["ps", "--format", "{{.Names}}", "--filter", "name=web", "a#b", "*"]]);
}

#[test]
fn statements_end_at_lines_and_semicolons() {
    assert_eq!(words("a b;c # d; e\r\n\n  # f\n g \\\n  h\\\r\ni;"), [vec!["a", "b"], vec!["c"], vec!["g", "hi"]]);
    assert_eq!(words("\u{feff}a ';' \\; b"), [["a", ";", ";", "b"]]);
    assert_eq!(words(""), Vec::<Vec<String>>::new());
}

#[test]
fn lines_are_known() {
    let script = Script::parse("a\n\nb 'x\ny'\nc; d\nA=1\n'e\nf'").unwrap();
    assert_eq!(script.statements.iter().map(|statement| statement.line).collect::<Vec<_>>(), [1, 3, 5, 5, 6, 7]);
}

#[test]
fn assignments() {
    let script = Script::parse("A=1\nB=\"x $A\"; C=\nD=$(run -d $A ')') # id\nrun A=1").unwrap();
    let actions: Vec<&Action> = script.statements.iter().map(|statement| &statement.action).collect();
    let (set, capture) = (|name: &str| Action::Set(name.to_owned()), |name: &str| Action::Capture(name.to_owned()));
    assert_eq!(actions, [&set("A"), &set("B"), &set("C"), &capture("D"), &Action::Run]);
    assert_eq!(script.statements[1].expand(&variables()).unwrap(), ["x a b"]);
    assert_eq!(script.statements[2].expand(&variables()).unwrap(), [""]);
    assert_eq!(script.statements[3].expand(&variables()).unwrap(), ["run", "-d", "a b", ")"]);
    assert_eq!(script.statements[4].expand(&variables()).unwrap(), ["run", "A=1"]);
    let mut captured = Variables::default();
    captured.capture("ID", "abc\ndef\r\n\n");
    assert_eq!(captured.get("ID").unwrap(), "abc\ndef");
}

#[test]
fn errors_name_the_line() {
    for (text, line, word) in [
        ("a\nb 'c\n\n", 2, "never closed"),
        ("a \"b", 1, "never closed"),
        ("a \\", 1, "backslash"),
        ("a\nb | c", 2, "bare |"),
        ("a && b", 1, "bare &"),
        ("a >b", 1, "bare >"),
        ("a $(b)", 1, "NAME=$(verb"),
        ("a \"`b`\"", 1, "`"),
        ("a $1", 1, "$1"),
        ("a $$", 1, "$$"),
        ("a ${B:-c}", 1, "${NAME}"),
        ("A=1 run b", 1, "stands alone"),
        ("A=$(run b) c", 1, "stands alone"),
        ("A=$(run b\n)", 1, "not closed"),
        ("A=$()", 1, "no verb"),
        ("a\0", 1, "NUL"),
    ] {
        let message = error(text);
        assert!(message.starts_with(&format!("line {line}: ")) && message.contains(word), "{text:?} gave {message:?}");
    }
    let unset = Script::parse("a\nb $UNKNOWN").unwrap().statements[1].expand(&variables()).unwrap_err();
    assert_eq!(unset.to_string(), "line 2: $UNKNOWN is not set: assign it first, or export it");
}

#[test]
fn everything_is_bounded() {
    assert!(error(&"a".repeat(LONGEST + 1)).contains("bytes"));
    assert!(error(&format!("a '{}'", "\n".repeat(TALLEST + 1))).contains("left open"));
    assert!(error(&"a\n".repeat(LINES + 1)).contains("lines"));
    assert_eq!(Script::parse(&"a\n".repeat(LINES)).unwrap().statements.len(), LINES);
    let mut bomb = Variables::default();
    bomb.set("A", "a".repeat(LONGEST / 2 + 1));
    assert!(Script::parse("b $A$A").unwrap().statements[0].expand(&bomb).is_err());
}

#[test]
fn lines_can_be_fed() {
    let mut feed = Feed::default();
    assert_eq!(feed.line("a b\n").unwrap().len(), 1);
    assert!(feed.line("c 'd\n").unwrap().is_empty());
    let statements = feed.line("e'; f").unwrap();
    assert_eq!(statements.len(), 2);
    assert_eq!((statements[0].line, statements[1].line), (2, 3));
    assert_eq!(feed.line("g | h").unwrap_err().line, 4);
    assert_eq!(feed.line("i").unwrap()[0].line, 5);
    assert!(feed.line("j \\").unwrap().is_empty());
    assert!(feed.finish().is_err_and(|error| error.incomplete || error.line == 6));
    assert!(Feed::default().finish().is_ok());
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), more in "[ab $'\"\\\\#;(){}=\n\r|]{0,60}") {
        for text in [&text, &more] {
            if let Ok(script) = Script::parse(text) {
                for statement in script.statements {
                    prop_assert!(!statement.words.is_empty());
                    let _ = statement.expand(&Variables::default());
                }
            }
            let mut feed = Feed::default();
            for line in text.lines() {
                let _ = feed.line(line);
            }
            let _ = feed.finish();
        }
    }

    #[test]
    fn quoted_words_come_back(words in prop::collection::vec("[^\0]*|[ab '\"\\\\$=#;\n\r]{0,8}", 1..6)) {
        let script = Script::parse(&quote(&words)).unwrap();
        prop_assert_eq!(script.statements.len(), 1);
        prop_assert_eq!(&script.statements[0].action, &Action::Run);
        prop_assert_eq!(script.statements[0].expand(&Variables::default()).unwrap(), words);
    }

    #[test]
    fn feeding_equals_parsing(text in "[ab $'\"\\\\#;=\n]{0,60}") {
        if let Ok(script) = Script::parse(&text) {
            let mut feed = Feed::default();
            let mut fed = Vec::new();
            for line in text.lines() {
                fed.extend(feed.line(line).unwrap());
            }
            feed.finish().unwrap();
            prop_assert_eq!(fed, script.statements);
        }
    }
}
