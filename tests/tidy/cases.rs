//! Small crates, and the circles that are found in them.

use crate::sources::{Crate, Texts};

fn read(files: &[(&str, &str)]) -> Crate {
    let texts: Texts = files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect();
    Crate::read("lib.rs", &texts)
}

/// The circles' names, without the lines.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let krate = read(files);
    let told = krate.circles(&krate.arrows());
    told.iter().map(|told| told.lines().next().unwrap().split_once(": ").unwrap().1.to_owned()).collect()
}

/// Two files of which the first one is used by the second, and a line that is added to the first.
fn with(line: &str) -> Vec<String> {
    let a = format!("{line}\npub struct A;");
    let b = "use super::a::A;\npub struct B;\npub fn b(_: A) {}\nimpl B { pub const C: u8 = 1; }";
    let up = "mod a;\nmod b;\npub use a::A;\npub use b::{B as Other, b};\nuse std::fmt as text;";
    circles(&[("lib.rs", "mod room;"), ("room/mod.rs", up), ("room/a.rs", &a), ("room/b.rs", b)])
}

#[test]
fn a_use_of_any_form_is_an_arrow() {
    for line in [
        "use super::b::B;",
        "use super::{b::{B as C, b}};",
        "use crate::room::b::B;",
        "use super::super::room::b::B;",
        "use self::super::b::*;\nfn f(_: B) {}",
        "use super::Other;",
        "use crate::room::{self, Other as O};",
        "use super as up;\nfn f(_: up::Other) {}",
        "use super::*;\nfn f() { b(A) }",
        "fn f(_: super::b::B) {}",
        "fn f() -> Vec<Option<super::Other>> { vec![] }",
        "fn f() { println!(\"{:?}\", super::b(A)); }",
        "macro_rules! m { ($a:ident) => { $crate::room::b::$a } }",
        "fn f() { use super::b; b::b(A); }",
        "mod inner { fn f(_: super::super::Other) {} }",
        "#[serde(with = \"super::b::B\")]\npub struct S;",
        "pub use super::b::B;",
        "thread_local! { static T: Option<super::Other> = None; }",
        "const C: u8 = super::b::B::C;",
    ] {
        assert_eq!(with(line), ["a -> b -> a"], "{line}");
    }
}

#[test]
fn what_uses_nothing_is_none() {
    for line in [
        "// use super::b::B;",
        "/// [`super::b::B`]",
        "#[cfg(test)]\nmod tests { use super::super::b::B; }",
        "#[cfg(all(test, shuttle))]\nuse super::b::B;",
        "#[test]\nfn f(_: super::b::B) {}",
        "use super::text;\nuse std::fmt::Other;",
        "pub(in crate::room) fn b(b: u8) -> u8 { b }",
        "fn f() -> String { quote!(super::b::B) }",
        "use crate::room;",
    ] {
        assert_eq!(with(line), [""; 0], "{line}");
    }
}

#[test]
fn a_folder_is_one_node_and_has_a_level_of_its_own() {
    let lib = ("lib.rs", "mod a;\nmod b;\nmod c;");
    let b = ("b.rs", "use crate::a::Deep;\npub struct B;");
    let deep =
        |line| [lib, ("a/mod.rs", "mod x;\nmod y;\npub use y::Deep;"), b, ("c.rs", ""), ("a/x.rs", line)];
    let all = |line| circles(&[&deep(line)[..], &[("a/y.rs", "pub struct Deep;")]].concat());
    assert_eq!(all("use super::Deep;"), [""; 0]);
    // Another file of the folder: within it nothing goes round, but the folder does.
    assert_eq!(all("use crate::b::B;"), ["a -> b -> a"]);
    let inside = [("a/y.rs", "use super::x::X;\npub struct Deep;")];
    let both = [&deep("use super::Deep;\npub struct X;")[..], &inside].concat();
    assert_eq!(circles(&both), ["x -> y -> x"]);
}

#[test]
fn the_file_of_a_folder_is_a_node_in_it() {
    for style in ["a.rs", "a/mod.rs"] {
        let found = |text, below| circles(&[("lib.rs", "mod a;"), (style, text), ("a/x.rs", below)]);
        let name = style.rsplit('/').next().unwrap();
        let circle = format!("{name} -> x -> {name}");
        assert_eq!(found("mod x;\npub use x::X;\npub struct A;", "use super::A;\npub struct X;"), [""; 0]);
        assert_eq!(found("mod x;\npub struct A(x::X);", "pub struct X;"), [""; 0]);
        assert_eq!(found("mod x;\npub struct A(x::X);", "use super::A;\npub struct X;"), [&*circle]);
        assert_eq!(
            found(
                "mod x;\npub use x::X;\nfn f(_: X, _: A) {}\nstruct A;",
                "fn g(_: super::A) {}\npub struct X;"
            ),
            [&*circle]
        );
    }
}

#[test]
fn a_method_of_a_types_own_is_where_its_impl_is() {
    let lib = ("lib.rs", "mod a;\nmod b;");
    let b = ("b.rs", "impl crate::a::A { pub fn far(&self) {} }");
    let found = |text| circles(&[lib, b, ("a.rs", text)]);
    assert_eq!(found("pub struct A;\nimpl A { fn near(&self) { self.far() } }"), ["a -> b -> a"]);
    assert_eq!(found("pub struct A;\nfn f(a: &A) { A::far(a) }"), ["a -> b -> a"]);
    assert_eq!(found("pub struct A;\nimpl A { fn near(&self) { self.near() } }"), [""; 0]);
}

#[test]
fn each_circle_is_told_with_its_lines() {
    let krate = read(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "\nuse crate::b::B;\npub struct A;"),
        ("b.rs", "pub struct B(crate::c::C);"),
        ("c.rs", "pub struct C;\n\nfn f(_: super::a::A) {}"),
    ]);
    let told = "a circle in lib.rs: a -> b -> c -> a
    a.rs:2 uses crate::b::B, which is in b.rs
    b.rs:1 uses crate::c::C, which is in c.rs
    c.rs:3 uses super::a::A, which is in a.rs";
    assert_eq!(krate.circles(&krate.arrows()), [told]);
}

#[test]
fn functions_that_are_kept_are_found() {
    let text = "static A: OnceLock<fn()> = OnceLock::new();\nstruct B { b: Box<dyn Fn(u8) + Send> }\ntype C = fn(u8) -> u8;
        enum D { D(Box<dyn FnOnce()>) }\nfn called(f: fn(), g: &dyn Fn()) {}\nstruct E(Box<dyn Error>);";
    let hooks: Vec<_> = read(&[("lib.rs", text)]).hooks.into_iter().map(|hook| hook.item).collect();
    assert_eq!(hooks, ["A", "B", "C", "D"]);
}
