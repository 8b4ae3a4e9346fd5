//! Each mistake is told with its place and, where there is one, with what was meant.

use super::*;

/// Text, the piece that is wrong, what was meant, and a part of the message.
type Mistake = (&'static str, &'static str, Option<&'static str>, &'static str);

fn are_told(mistakes: &[Mistake]) {
    for (text, at, meant, part) in mistakes {
        let (says, where_it_is, means) = bad(text);
        assert!(says.contains(part), "{text}: {says}");
        assert_eq!((where_it_is.as_str(), means.as_deref()), (*at, *meant), "{text}: {says}");
    }
}

#[test]
fn names_and_words_that_do_not_exist() {
    are_told(&[
        ("blocked && profle == 'x'", "profle", Some("profile"), "there is no fact profle"),
        ("link == meters", "meters", None, "a text stands in quotes"),
        ("life == managed", "managed", Some("\"managed\""), "managed is a word of life"),
        ("life == 'manged'", "'manged'", Some("\"managed\""), "life is never \"manged\", only one of pending"),
        ("'manged' != life", "'manged'", Some("\"managed\""), "life is never"),
        ("life in ['managed', 'pendng']", "'pendng'", Some("\"pending\""), "life is never"),
        ("connectivity == 'upp'", "'upp'", Some("\"up\""), "connectivity is never"),
        ("power == 'batery'", "'batery'", Some("\"battery\""), "power is never"),
        ("'wirte' in operations", "'wirte'", Some("\"write\""), "operations is never"),
        ("operations.exists(o, o == 'wirte')", "'wirte'", Some("\"write\""), "operations is never"),
        ("life.like('x*')", "'x*'", None, "none is like"),
        ("'seral:acme:1' in identities", "'seral:acme:1'", Some("\"serial:acme:1\""), "no kind of identity"),
        ("'eui:00:24:BE' in identities", "'eui:00:24:BE'", Some("\"eui:0024be\""), "another spelling"),
        ("identities.exists(i, i.like('seral:*'))", "'seral:*'", Some("\"serial:*\""), "no kind of identity"),
        ("link == 'no name'", "'no name'", None, "' ' is not allowed"),
        ("label['no name'] == ''", "'no name'", None, "' ' is not allowed"),
    ]);
}

#[test]
fn parts_of_other_types() {
    are_told(&[
        ("label.row == 3", "3", Some("\"3\""), "label.row is a text, 3 is a whole number"),
        ("label.row == -3", "-3", Some("\"-3\""), "label.row is a text, -3 is a whole number"),
        ("(label).row == 3", "3", Some("\"3\""), "(label).row is a text, 3 is a whole number"),
        ("label.row > 3", ">", None, "label.row is a text and has no order"),
        ("label.row >= '3'", ">=", None, "ask by == or in, such as label.row in"),
        ("'1.10' < version.firmware", "<", None, "version.firmware is a text and has no order"),
        ("groups.exists(g, g <= label.row)", "<=", None, "label.row is a text and has no order"),
        ("security > '3'", "'3'", Some("3"), "security is a whole number, '3' is a text"),
        ("blocked == 'true'", "'true'", Some("true"), "blocked is yes or no"),
        ("groups == 'a'", "groups == 'a'", Some("'a' in groups"), "groups is a list of texts"),
        ("blocked < true", "blocked < true", None, "< cannot compare"),
        ("blocked && name", "name", None, "name is a text"),
        ("link", "link", None, "answered by yes or no"),
        ("size(groups)", "size(groups)", None, "size(groups) is a whole number"),
        ("!name", "name", None, "name is a text"),
        ("security.startsWith('a')", "security", None, "here stands a text"),
        ("name.startsWith(3)", "3", None, "here stands a text"),
        ("size(security) > 1", "security", None, "a text or a list has a size"),
        ("name.row == 'a'", "name", None, "only label and version have names in them; name is a text"),
        ("name in ['a', 3]", "3", None, "texts in quotes"),
        ("security in [1, 'a']", "'a'", None, "whole numbers"),
        ("blocked in ['a']", "blocked", None, "a text or a number can be in a list"),
        ("'a' in name", "name", None, "name is a text"),
        ("label[name] == 'a'", "name", None, "a name in quotes"),
        ("has(groups)", "groups", None, "has asks for what may be missing"),
        ("name.exists(g, true)", "name", None, "name is a text"),
        ("groups.exists(name, true)", "name", None, "name is a fact"),
        ("groups.exists('a', true)", "'a'", None, "is called"),
        ("label.row != null", "null", None, "asked by has"),
    ]);
}

#[test]
fn what_a_selector_cannot_do() {
    are_told(&[
        ("security + 1 > 2", "+", None, "a selector has == !="),
        ("security - 1 > 2", "-", None, "- is not possible here"),
        ("-security > 2", "-", None, "- is not possible here"),
        (".blocked", ".", None, ". is not possible here; a selector has"),
        ("access == .5", ".5", None, ".5 is not a whole number"),
        ("access == -.5", ".5", None, ".5 is not a whole number"),
        ("not(blocked)", "not", Some("!"), "not is not possible here"),
        ("name.matches('a')", "matches", None, "matches is not possible here"),
        ("name.startWith('a')", "startWith", Some("startsWith"), "not possible"),
        ("like(name, 'a')", "like", None, "written otherwise: id.like("),
        ("groups.map(g, g)", "map", None, "not possible"),
        ("groups.exists(g, groups.exists(h, h == g))", "exists", None, "cannot stand in each other"),
        ("['a'].exists(g, g in groups)", "['a']", None, "a list of the device"),
        ("{'a': 1}", "{", None, "does nothing here"),
        ("['a'] == groups", "['a']", None, "only after in"),
        ("security == 1.5", "1.5", None, "not a whole number"),
        ("security == 2u", "2u", None, "not a whole number"),
        ("security == 0x2", "0x2", None, "not a whole number"),
        ("security == 99999999999999999999", "99999999999999999999", None, "too large"),
        ("name == r'a'", "r", None, "begins with its quote"),
        ("name == '\\n'", "\\", None, "stands before"),
    ]);
}

#[test]
fn what_does_not_read() {
    are_told(&[
        ("", "", None, "an empty selector"),
        ("  ", "  ", None, "an empty selector"),
        ("blocked &&", "", None, "missing at the end"),
        ("has(label.row", "(", None, "never closed"),
        ("has(label.)", ")", None, ") is not expected"),
        ("has(label.row,)", ")", None, ") is not expected"),
        ("name in ['a',,]", ",", None, ", is not expected"),
        ("blocked ? keyed", "", None, "missing at the end"),
        ("blocked ? keyed ? true : false : true", "?", None, "? is not expected"),
        ("label.in == 'a'", "in", None, "in is not expected"),
        ("!-security", "security", None, "security is not expected"),
        ("name == '''a'", "'''a'", None, "has no ''' at its end"),
        ("not blocked", "not", Some("!"), "not expected"),
        ("blocked && not keyed", "not", Some("!"), "not expected"),
        ("blocked keyed", "keyed", None, "keyed is not expected here"),
        ("blocked and keyed", "and", Some("&&"), "not expected"),
        ("'ä' == name or keyed", "or", Some("||"), "not expected"),
        ("blocked &&\n  'ü' == name or keyed", "or", Some("||"), "not expected"),
        ("blocked = true", "=", Some("=="), "= alone"),
        ("blocked & keyed", "&", Some("&&"), "& alone"),
        ("name == 'a", "'a", None, "has no ' at its end"),
        ("(blocked", "(", None, "never closed"),
        ("blocked)", ")", None, "no open bracket"),
        ("name in ['a')", ")", Some("]"), "closed by ]"),
        ("name == 'a\u{7}b'", "\u{7}", None, "control characters"),
        ("if == 'a'", "if", None, "reserved word"),
        ("== 'a'", "==", None, "== is not expected"),
        ("name ==\u{a0}'a'", "\u{a0}", None, "does nothing here"),
    ]);
}

#[test]
fn a_message_stands_for_itself() {
    let bad = Selector::parse("life == 'manged'").unwrap_err().to_string();
    let words = "pending, managed, quarantined, refused, retired";
    let expected =
        format!("life is never \"manged\", only one of {words} (byte 9 of the selector); did you mean \"managed\"?");
    assert_eq!(bad, expected);
}
