//! What `#[job]` and `register_job!` make of a function and of a type.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};

use executor_core::{AnyJob, Job, Work, codec, job, register_job};
use serde::{Deserialize, Serialize};

/// Runs a job after a trip through the codec, which every job must survive.
fn run<J: Job>(job: J) -> J::Output {
    let bytes = codec::encode(&job).unwrap();
    finish(codec::decode::<J>(&bytes).unwrap().start())
}

fn finish<T>(work: Work<T>) -> T {
    match work {
        Work::Ready(value) => value,
        Work::Future(future) => futures::executor::block_on(future),
    }
}

#[job]
fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[job]
async fn add_later(a: u32, text: &str) -> String {
    let sum = std::future::ready(a + 1).await;
    format!("{text}{sum}")
}

#[job]
fn nothing() {}

#[test]
fn a_function_stays_a_function_and_becomes_a_job() {
    assert_eq!(add(1, 2), 3);
    assert_eq!(run(add::job(1, 2)), 3);
    assert!(matches!(add::job(1, 2).start(), Work::Ready(3)));
    run(nothing::job());
}

#[test]
fn an_async_function_becomes_a_future() {
    assert!(matches!(add_later::job(1, "").start(), Work::Future(_)));
    assert_eq!(run(add_later::job(1, "two")), "two2");
}

#[job]
fn borrows<'a>(text: &'a str, bytes: &[u8], path: &Path, number: &u64, words: &'a [String], c: &CStr) -> String {
    format!("{text} {bytes:?} {} {number} {words:?} {c:?}", path.display())
}

#[test]
fn borrowed_arguments_are_stored_owned() {
    let expected = borrows("t", &[1], Path::new("p"), &7, &["w".to_owned()], c"c");
    let from_borrowed = borrows::job("t", [1], Path::new("p"), 7_u64, ["w".to_owned()], c"c");
    assert_eq!(run(from_borrowed), expected);
    let from_owned =
        borrows::job("t".to_owned(), vec![1], PathBuf::from("p"), 7_u32, vec!["w".to_owned()], c"c".to_owned());
    assert_eq!(run(from_owned), expected);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[job]
fn patterns(
    mut a: u32,
    (b, c): (u32, u32),
    _: u32,
    Point { x, y }: Point,
    [d, _]: [u32; 2],
    arg1: u32,
    _e: u32,
) -> i64 {
    a += b + c + d + arg1;
    i64::from(a) + i64::from(x * y)
}

#[test]
fn parameters_may_be_patterns() {
    assert_eq!(run(patterns::job(1, (2, 3), 4, Point { x: 5, y: 6 }, [7, 8], 9, 10)), 1 + 2 + 3 + 7 + 9 + 30);
}

#[expect(clippy::too_many_arguments, reason = "as many names as the generated code could stumble over")]
#[job]
fn hygiene(
    self_: u8,
    f: u8,
    job: u8,
    start: u8,
    output: u8,
    entry: u8,
    argument_0: u8,
    hygiene: u8,
    r#type: u8,
) -> Result<u8, String> {
    Ok(self_ + f + job + start + output + entry + argument_0 + hygiene + r#type)
}

#[test]
fn the_names_of_parameters_are_free() {
    let all = hygiene::job(1, 2, 3, 4, 5, 6, 7, 8, 9);
    assert_eq!(serde_json::to_value(&all).unwrap()["type"], 9);
    assert_eq!(run(all), Ok(45));
}

mod shadowed {
    //! A place where every name that generated code might use means something else.
    #![expect(dead_code, reason = "that they are not used is the test")]

    struct Option;
    struct Some;
    struct None;
    struct Vec;
    struct Box;
    struct Into;
    struct Job;
    struct Work;
    struct Send;
    mod std {}
    mod core {}
    mod serde {}
    mod typetag {}
    mod inventory {}

    #[derive(Clone, ::serde::Serialize, ::serde::Deserialize)]
    pub(crate) struct S;
    pub(crate) type D = S;
    pub(crate) type Written = u8;
    pub(crate) type Read = u16;
    pub(crate) type T = u32;
    pub(crate) type Output = u64;

    #[executor_core::job]
    pub(crate) fn types(_: S, _: &D, a: Written, b: &Read, c: T) -> Output {
        Output::from(a) + Output::from(*b) + Output::from(c)
    }

    #[executor_core::job(name = "tests/shadowed")]
    pub(crate) fn shadowed(text: &str) -> usize {
        text.len()
    }
}

#[test]
fn shadowed_names_do_no_harm() {
    assert_eq!(run(shadowed::shadowed::job("four")), 4);
    assert_eq!(run(shadowed::types::job(shadowed::S, shadowed::S, 1, 2_u16, 3)), 6);
    assert_eq!(shadowed::shadowed::entry().name(), "tests/shadowed");
}

macro_rules! make_job {
    ($name:ident, $Argument:ty, $Output:ty) => {
        #[job]
        fn $name(x: $Argument) -> $Output {
            x.into()
        }
    };
}

make_job!(from_macro, &str, String);

#[test]
fn a_job_can_come_from_a_macro() {
    assert_eq!(run(from_macro::job("text")), "text");
}

mod renamed {
    use super::*;

    mod parse {}

    #[job(type = Parse, crate = ::executor_core, name = "tests/parse")]
    pub(crate) fn parse(text: &str) -> Result<u8, String> {
        text.parse::<u8>().map_err(|error| error.to_string())
    }
}

#[test]
fn the_type_can_be_renamed() {
    use renamed::{Parse, parse};
    assert_eq!(run(Parse::job("7")), parse("7"));
    assert_eq!(Parse::entry().name(), "tests/parse");
}

#[test]
fn a_job_can_be_declared_in_a_function() {
    #[job]
    fn inner(x: u8) -> u8 {
        x + 1
    }

    assert_eq!(run(inner::job(1)), 2);
}

#[cfg(test)]
#[job]
#[cfg(not(any()))]
#[cfg_attr(test, cfg(test), doc = "x")]
fn conditional(x: u8) -> u8 {
    x
}

#[job]
#[cfg(any())]
#[doc(alias = "x")]
fn absent(x: NoSuchType) -> NoSuchType {
    x
}

/// Not here either.
#[job]
#[cfg_attr(test, cfg(any()))]
fn absent_too(x: NoSuchType) -> NoSuchType {
    x
}

#[test]
fn conditions_go_on_all_of_it() {
    assert_eq!(run(conditional::job(1)), 1);
}

#[job]
#[deprecated = "use `add`"]
fn old(x: u8) -> u8 {
    x
}

#[test]
fn a_deprecated_function_makes_a_deprecated_job() {
    #[expect(deprecated, reason = "this is the test")]
    let job = old::job(1);
    assert_eq!(run(job), 1);
}

#[job]
fn shapes(
    pair: (u8, Option<Vec<u8>>),
    map: BTreeMap<String, u8>,
    cow: Cow<'static, str>,
    array: [u8; 4 & 7],
) -> (u8, usize) {
    let _ = (map, cow, array);
    (pair.0, pair.1.map_or(0, |bytes| bytes.len()))
}

#[test]
fn owned_arguments_may_have_any_shape() {
    assert_eq!(run(shapes::job((1, Some(vec![1, 2])), BTreeMap::new(), "c".into(), [0; 4])), (1, 2));
}

type Alias<T> = Result<T, String>;

#[job]
fn fallible(fail: bool) -> Alias<()> {
    if fail { Err("no".to_owned()) } else { Ok(()) }
}

#[job]
fn optional() -> Option<u8> {
    None
}

#[test]
fn a_job_has_failed_where_its_result_is_an_error() {
    assert!(fallible::failed(&run(fallible::job(true))));
    assert!(!fallible::failed(&run(fallible::job(false))));
    assert!(fallible::failure_text(&run(fallible::job(true))).is_some_and(|text| !text.is_empty()));
    assert_eq!(fallible::failure_text(&run(fallible::job(false))), None);
    assert_eq!(nothing::failure_text(&()), None);
    assert!(!optional::failed(&run(optional::job())));
    assert!(!nothing::failed(&()));
}

#[derive(Serialize, Deserialize)]
struct Once(u8);

#[job]
fn once(x: Vec<Once>, text: &str) -> u8 {
    x[0].0 + u8::try_from(text.len()).unwrap()
}

#[test]
fn a_job_is_copied_where_its_arguments_can_be() {
    assert_eq!(run(add::job(1, 2).duplicate().unwrap()), 3);
    assert_eq!(
        run(borrows::job("", [], "", 1_u8, [], c"").duplicate().unwrap()),
        borrows("", &[], "".as_ref(), &1, &[], c"")
    );
    assert!(nothing::job().duplicate().is_some());
    assert!(once::job(vec![Once(1)], "a").duplicate().is_none());
    assert_eq!(run(once::job(vec![Once(1)], "a")), 2);
}

#[test]
fn an_entry_knows_name_and_place() {
    assert!(add::entry().name().ends_with("job_macro::add"));
    assert_eq!(add::entry().explicit_name(), None);
    let (file, line) = add::entry().declared_at().rsplit_once(':').unwrap();
    assert!(file.ends_with("job_macro.rs"), "{file}");
    let source = include_str!("job_macro.rs").lines().nth(line.parse::<usize>().unwrap() - 1);
    assert_eq!(source, Some("#[job]"));
    assert!(std::ptr::eq(add::entry(), add::entry()));
}

#[derive(Serialize, Deserialize)]
struct Written(u64);

impl Job for Written {
    type Output = u64;

    fn start(self) -> Work<u64> {
        Work::Ready(self.0 + 1)
    }

    register_job!(Written, name = "tests/written");
}

#[derive(Serialize, Deserialize)]
struct WrittenWithoutName;

impl Job for WrittenWithoutName {
    type Output = ();

    fn start(self) -> Work<()> {
        Work::Ready(())
    }

    register_job!(WrittenWithoutName);
}

#[test]
fn a_job_can_be_written_by_hand() {
    assert_eq!(run(Written(1)), 2);
    run(WrittenWithoutName);
    assert!(WrittenWithoutName::entry().name().ends_with("WrittenWithoutName"));
    let json = serde_json::to_string(&(Box::new(Written(1)) as Box<dyn AnyJob>)).unwrap();
    assert_eq!(json, r#"{"tests/written":1}"#);
    let output = run(serde_json::from_str::<Box<dyn AnyJob>>(&json).unwrap());
    assert_eq!(output.get::<u64>().unwrap(), 2);
}
