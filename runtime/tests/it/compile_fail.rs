//! Graphs that make no sense do not compile, and the compiler says why in words that help.
//!
//! What it says is kept beside each program; after a change of it, `TRYBUILD=overwrite cargo test -p nacreous --test it
//! compile_fail` writes it anew, to be looked at.

#[test]
fn the_compiler_says_what_is_wrong_with_a_graph() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
