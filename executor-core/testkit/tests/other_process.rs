//! Gates and logs work for jobs that run in another process.

use std::process::{Command, Stdio};

use executor_core::codec;
use executor_testkit::{Gate, Log, Pass, Pen, eventually};

/// The variable that gives the child its pass and its pen, encoded, in hexadecimal digits.
const ORDERS: &str = "OTHER_PROCESS_ORDERS";

/// Does nothing, unless the program was started by the test below.
#[test]
fn child() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let digits = orders.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let (pass, pen): (Pass, Pen) = codec::decode(&bytes).unwrap();
    assert_eq!(pen.write(1), 1);
    pass.go();
    assert_eq!(pen.write(2), 3);
}

#[test]
fn a_gate_holds_a_child_and_a_log_hears_of_it() {
    let gate = Gate::new();
    let log = Log::new();
    let bytes = codec::encode(&(gate.pass(), log.pen())).unwrap();
    let orders: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child", "--exact"]).env(ORDERS, orders).stdout(Stdio::null());
    let mut child = child.spawn().unwrap();
    eventually("the child comes to the gate", || gate.arrived() == 1);
    assert_eq!(log.entries(), [1]);
    log.pen().write(10);
    gate.open();
    assert!(child.wait().unwrap().success());
    assert_eq!(log.entries(), [1, 10, 2]);
}
