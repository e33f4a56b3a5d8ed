//! The example of a rule of one's own runs and says what it should.

use std::process::Command;

#[test]
fn a_rule_of_ones_own_is_exact_and_echoed() {
    let run = Command::new(env!("CARGO_BIN_EXE_own_rule"))
        .output()
        .expect("the example starts");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("float_round"), "{said}");
    assert!(
        said.contains("with op:round=passes, op:tanh=share kept,"),
        "{said}"
    );
}
