//! What the compiler says of wrong arguments. The words are those of one compiler: `rust-version`, which the check runs.

#[test]
fn wrong_arguments_are_named_where_they_stand() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
