//! Tests of the templates.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn sample() -> Value {
    json!({
        "Names": "web", "ID": "abc123", "Size": 42, "Ratio": 0.5, "Running": true, "Empty": "", "Labels": "a=1,b.c=2",
        "Config": {"Labels": {"a": "x", "b": "y"}, "Cmd": ["sh", "-c", "true"], "Env": null},
        "State": {"Status": "running", "Health": null},
        "Mounts": [{"Source": "/a", "RW": true}, {"Source": "/b", "RW": false}],
        "Evil": "a\u{1b}[31m\tb\n\u{202e}",
    })
}

fn render(template: &str) -> String {
    Template::parse(template).unwrap().render(&sample()).unwrap()
}

fn error(template: &str) -> String {
    match Template::parse(template) {
        Ok(template) => template.render(&sample()).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn fields_and_text() {
    assert_eq!(render("{{.Names}}: {{.State.Status}} {{.Size}} {{.Ratio}} {{.Running}}"), "web: running 42 0.5 true");
    assert_eq!(render(r"{{.ID}}\t{{.Names}}\n"), "abc123\tweb\n");
    assert_eq!(render("{{.Config.Cmd}} {{.Config.Labels}} {{.Config.Env}}"), "[sh -c true] map[a:x b:y] <no value>");
    assert_eq!(render("a {{- /* b */ -}} c {{/* d }} */}}"), "ac ");
    assert_eq!(render("  {{.ID}}  "), "abc123");
    assert_eq!(render("a \n{{- .ID -}}\n b"), "aabc123b");
}

#[test]
fn functions() {
    for (template, text) in [
        ("{{json .Config}}", r#"{"Labels":{"a":"x","b":"y"},"Cmd":["sh","-c","true"],"Env":null}"#),
        ("{{.Config.Cmd | json}}", r#"["sh","-c","true"]"#),
        ("{{index .Config.Labels \"a\"}}{{index .Config.Labels \"z\"}}", "x"),
        ("{{index .Config.Cmd 1}} {{(index .Mounts 1).Source}}", "-c /b"),
        ("{{.Label \"b.c\"}}{{.Config.Label \"a\"}}{{.Label \"z\"}}", "2x"),
        ("{{len .Config.Cmd}} {{len .Names}} {{len .Config.Labels}}", "3 3 2"),
        ("{{upper .Names}} {{lower \"AB\"}} {{title \"ab cd\"}}", "WEB ab Ab Cd"),
        ("{{join .Config.Cmd \",\"}} {{split \"a-b\" \"-\"}}", "sh,-c,true [a b]"),
        ("{{truncate .ID 3}} {{pad .ID 1 2}}|", "abc  abc123  |"),
        ("{{println .Names .Size}}", "web 42\n"),
        ("{{print .Size .Size \"a\" .Size}}", "42 42a42"),
        (
            "{{printf \"%s|%-5s|%5d|%05d|%.2f|%q|%t|%x|%%|%v\" .Names .Names .Size -7 .Ratio .ID .Running 255 .Config.Cmd}}",
            "web|web  |   42|-0007|0.50|\"abc123\"|true|ff|%|[sh -c true]",
        ),
        ("{{slice .ID 0 3}}{{slice .Config.Cmd 1 2}}", "abc[-c]"),
        ("{{eq .Names \"web\"}} {{ne .Size 42}} {{lt .Size 50}} {{ge .Ratio 0.5}} {{eq 1 2 1}}", "true false true true true"),
        ("{{and .Running .Names}} {{or .Empty .ID}} {{not .Running}}", "web abc123 false"),
        ("{{.Names | printf \"%s-%s\" .ID | upper}}", "ABC123-WEB"),
    ] {
        assert_eq!(render(template), text, "{template}");
    }
}

#[test]
fn blocks() {
    for (template, text) in [
        ("{{range .Mounts}}{{.Source}} {{end}}", "/a /b "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=x;b=y;"),
        ("{{range $i, $m := .Mounts}}{{$i}}{{$m.Source}}{{$.ID}}{{end}}", "0/aabc1231/babc123"),
        ("{{range $m := .Mounts}}{{if $m.RW}}rw{{else}}ro{{end}} {{end}}", "rw ro "),
        ("{{range .Config.Env}}x{{else}}none{{end}}", "none"),
        ("{{if .Empty}}a{{else if .Running}}b{{else}}c{{end}}", "b"),
        ("{{if and .State.Health .State.Health.Status}}a{{else}}b{{end}}", "b"),
        ("{{with .State}}{{.Status}}{{end}}{{with .Empty}}x{{else}}{{.ID}}{{end}}", "runningabc123"),
        ("{{$x := .ID}}{{if true}}{{$x = \"new\"}}{{end}}{{$x}}", "new"),
        ("{{$f := true}}{{range .Config.Cmd}}{{if not $f}},{{end}}{{$f = false}}{{.}}{{end}}", "sh,-c,true"),
        ("{{if eq .State.Status \"running\"}}up{{end}}", "up"),
    ] {
        assert_eq!(render(template), text, "{template}");
    }
}

#[test]
fn tables() {
    let table = Template::parse(r#"table {{.ID}}\t{{.Names}}\t{{upper .State}}\t{{.Label "com.x.my-role"}}"#).unwrap();
    assert!(table.is_table() && !table.is_plain_table());
    assert_eq!(table.header(&[("ID", "CONTAINER ID"), ("Names", "NAMES")]).unwrap(), "CONTAINER ID\tNAMES\tSTATE\tMY ROLE");
    assert!(Template::parse("table").unwrap().is_plain_table());
    assert!(!Template::parse("tables").unwrap().is_table());
    let evil = Template::parse("table {{.Evil}}").unwrap();
    assert_eq!(evil.render(&sample()).unwrap(), "a\\x1b[31m\\tb\\n\\u{202e}");
}

#[test]
fn values_are_harmless_and_json_stays_json() {
    assert_eq!(render("{{.Evil}}"), "a\\x1b[31m\tb\n\\u{202e}");
    let shown = render("{{json .}}");
    assert!(shown.is_ascii());
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), sample());
}

#[test]
fn errors_name_the_template_and_the_place() {
    assert_eq!(error("ab {{.Foo}}").split(';').next().unwrap(), "template \"ab {{.Foo}}\", column 6: no .Foo here");
    for (template, word) in [
        ("{{.ID", "never closed"),
        ("{{}}", "empty"),
        ("{{if .ID}}", "{{end}}"),
        ("{{end}}", "nothing to end"),
        ("{{else}}", "outside"),
        ("{{if .ID}}{{else}}{{else}}{{end}}", "second"),
        ("{{nothing .ID}}", "no function nothing"),
        ("{{.ID .Names}}", "no function"),
        ("{{.State.Health.Status}}", "nothing to look into"),
        ("{{.ID.Foo}}", "no fields"),
        ("{{$x}}", "never set"),
        ("{{$x = 1}}", "never declared"),
        ("{{upper}}", "takes 1"),
        ("{{index .Config.Cmd 9}}", "3 items"),
        ("{{printf \"%d\" .ID}}", "whole number"),
        ("{{printf \"%s\"}}", "nothing is left"),
        ("{{printf \"%9999s\" .ID}}", "width"),
        ("{{range .Size}}{{end}}", "range needs"),
        ("{{(.ID}}", "never closed"),
        ("{{.ID | .Names}}", "only a function"),
        ("{{.ID |}}", "missing"),
        ("{{template \"x\"}}", "not known"),
        ("{{.ID & 1}}", "means nothing"),
    ] {
        let message = error(template);
        assert!(message.contains(word) && message.contains("column"), "{template} gave {message}");
    }
}

#[test]
fn everything_is_bounded() {
    assert!(error(&"a".repeat(LONGEST + 1)).contains("long"));
    assert!(error(&"{{if true}}".repeat(DEEPEST + 1)).contains("deep"));
    assert!(error(&format!("{{{{{}1{}}}}}", "(".repeat(DEEPEST + 2), ")".repeat(DEEPEST + 2))).contains("deep"));
    assert!(error(&format!("{{{{$x := .ID}}}}{}", "{{$x = printf \"%s%s\" $x $x}}".repeat(40))).contains("bytes"));
    let many = json!({ "L": vec![0; 1100] });
    let nested = Template::parse("{{range .L}}{{range $.L}}{{end}}{{end}}").unwrap();
    assert!(nested.render(&many).unwrap_err().to_string().contains("steps"));
}

proptest! {
    #[test]
    fn no_template_panics(text in any::<String>(), words in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{{- ", " -}}", ".", ".ID", ".Config", "$", "$x", " := ", " = ", "range ", "if ", "else", "end", "with ", "(", ")", " | ",
        "printf ", "\"%5.2s%d\"", "index ", "json ", "1", "-2", "slice ", "\"é\"", "`", "\"", ",", "len ", "split ", "join ", "pad ", "table ",
    ]), 0..30)) {
        for template in [text, words.concat()] {
            if let Ok(template) = Template::parse(&template) {
                let _ = template.render(&sample());
                let _ = template.header(&[("ID", "CONTAINER ID")]);
            }
        }
    }
}
