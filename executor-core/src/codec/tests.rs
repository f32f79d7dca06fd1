use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Debug;
use std::time::Duration;

use serde::de::{DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::bytes::tests_only::COUNT;
use super::{CodecError, decode, encode, encode_into};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<u8>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(Vec<u8>),
    Two(i8, String),
    Named { bytes: Vec<u8>, flag: bool },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    bytes: Vec<u8>,
    nested: Vec<Vec<u8>>,
    option: Option<Vec<u8>>,
    result: Result<Vec<u8>, String>,
    map: BTreeMap<String, Vec<u8>>,
    tuple: (u8, Vec<u8>, char),
    boxed: Box<[u8]>,
    deque: VecDeque<u8>,
    array: [u8; 4],
    shapes: Vec<Shape>,
    newtype: Newtype,
    unit: Unit,
    numbers: (i8, i16, i32, i64, i128, u16, u32, u64, u128, usize, f32, f64),
    empty: ((), Vec<()>, Option<()>),
    text: (String, char),
    time: Duration,
}

fn everything() -> Everything {
    Everything {
        bytes: (0..=255).collect(),
        nested: vec![vec![], vec![1], vec![2; 300]],
        option: Some(vec![9; 3]),
        result: Ok(vec![200; 129]),
        map: [("a".to_owned(), vec![1, 2]), ("ä".to_owned(), vec![])].into(),
        tuple: (255, vec![128], '€'),
        boxed: vec![5; 17].into(),
        deque: [1, 2, 3].into(),
        array: [9, 8, 7, 6],
        shapes: vec![
            Shape::Nothing,
            Shape::One(vec![0, 255]),
            Shape::Two(-1, "text".to_owned()),
            Shape::Named { bytes: vec![3; 2], flag: true },
        ],
        newtype: Newtype(vec![1; 1000]),
        unit: Unit,
        numbers: (
            i8::MIN,
            i16::MIN,
            i32::MIN,
            i64::MIN,
            i128::MIN,
            u16::MAX,
            u32::MAX,
            u64::MAX,
            u128::MAX,
            usize::MAX,
            f32::MIN_POSITIVE,
            f64::MAX,
        ),
        empty: ((), vec![(); 3], Some(())),
        text: ("grüße".to_owned(), '\u{10ffff}'),
        time: Duration::new(1, 2),
    }
}

/// Checks that the bytes are those of postcard, and that both read them back.
fn travels<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let bytes = encode(&value).unwrap();
    assert_eq!(bytes, postcard::to_stdvec(&value).unwrap(), "{value:?}");
    assert_eq!(decode::<T>(&bytes).unwrap(), value);
    assert_eq!(postcard::from_bytes::<T>(&bytes).unwrap(), value);

    let mut buffer = b"before".to_vec();
    encode_into(&value, &mut buffer).unwrap();
    assert_eq!(buffer, [b"before".as_slice(), &bytes].concat());
}

/// Counts how many buffers `decode` read in one piece.
fn whole_buffers<T: DeserializeOwned>(bytes: &[u8]) -> usize {
    COUNT.set(0);
    decode::<T>(bytes).unwrap();
    COUNT.get()
}

#[test]
fn the_bytes_are_those_of_postcard() {
    travels(());
    travels(Unit);
    travels(vec![0_u8; 127]);
    travels(vec![0_u8; 128]);
    travels(Vec::<u8>::new());
    travels(vec![u64::MAX, 0, 1]);
    travels(Some(Some(None::<u8>)));
    travels(HashMap::from([(7_u8, vec![1_u8])]));
    travels::<Result<Result<(), String>, Vec<u8>>>(Ok(Err("no".to_owned())));
    for shape in everything().shapes {
        travels(shape);
    }
}

#[test]
fn a_struct_of_everything_travels() {
    travels(everything());
}

#[test]
fn borrowed_bytes_are_written_like_owned_ones() {
    let bytes: Vec<u8> = (0..200).collect();
    let expected = encode(&bytes).unwrap();
    assert_eq!(encode(&bytes[..]).unwrap(), expected);
    assert_eq!(encode(&&bytes[..]).unwrap(), expected);
    assert_eq!(encode(&std::borrow::Cow::Borrowed(&bytes[..])).unwrap(), expected);
    assert_eq!(encode(&bytes.iter().copied().collect::<VecDeque<u8>>()).unwrap(), expected);
}

#[test]
fn byte_buffers_are_read_in_one_piece_wherever_they_are() {
    assert_eq!(whole_buffers::<Vec<u8>>(&encode(&vec![1_u8, 2]).unwrap()), 1);
    assert_eq!(whole_buffers::<Box<[u8]>>(&encode(&vec![1_u8, 2]).unwrap()), 1);
    assert_eq!(whole_buffers::<Vec<Vec<u8>>>(&encode(&vec![vec![1_u8], vec![], vec![2]]).unwrap()), 3);
    assert_eq!(whole_buffers::<Vec<Shape>>(&encode(&everything().shapes).unwrap()), 2);
    let inside = (Some(vec![1_u8]), Ok::<_, ()>(Newtype(vec![2])), BTreeMap::from([(3, vec![4_u8])]));
    assert_eq!(
        whole_buffers::<(Option<Vec<u8>>, Result<Newtype, ()>, BTreeMap<i32, Vec<u8>>)>(&encode(&inside).unwrap()),
        3
    );
}

#[test]
fn other_sequences_go_through_their_visitor() {
    assert_eq!(whole_buffers::<Vec<i8>>(&encode(&vec![1_i8]).unwrap()), 0);
    assert_eq!(whole_buffers::<VecDeque<u8>>(&encode(&vec![1_u8]).unwrap()), 0);
}

/// A user's own visitor that returns a `Vec<u8>` as serde's does, and does something of its own.
#[derive(Debug, PartialEq)]
struct Doubled(Vec<u8>);

impl<'de> Deserialize<'de> for Doubled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VecVisitor<T>(std::marker::PhantomData<T>);

        impl<'de> Visitor<'de> for VecVisitor<u8> {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut doubled = Vec::new();
                while let Some(byte) = seq.next_element::<u8>()? {
                    doubled.push(byte * 2);
                }
                Ok(doubled)
            }
        }

        deserializer.deserialize_seq(VecVisitor::<u8>(std::marker::PhantomData)).map(Doubled)
    }
}

#[test]
fn a_visitor_of_the_same_name_and_value_is_still_asked() {
    COUNT.set(0);
    assert_eq!(decode::<Doubled>(&[2, 10, 20]).unwrap(), Doubled(vec![20, 40]));
    assert_eq!(COUNT.get(), 0);
}

#[test]
fn bytes_that_are_no_value_are_errors_and_nothing_worse() {
    // An xorshift generator is enough to be unexpected, and fails the same way each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..4_000 {
        let length = random() % 64;
        let mask = if random() % 2 == 0 { 0xff } else { 0x03 };
        let bytes: Vec<u8> = (0..length).map(|_| random() as u8 & mask).collect();
        let _ = decode::<Vec<Shape>>(&bytes);
        let _ = decode::<BTreeMap<String, Vec<Vec<u8>>>>(&bytes);
        let _ = decode::<(Option<char>, Result<Vec<u64>, String>, Newtype)>(&bytes);
        let _ = decode::<Vec<(Vec<()>, HashMap<Option<u8>, Unit>)>>(&bytes);
    }
}

#[test]
fn every_cut_of_a_message_is_an_error() {
    let bytes = encode(&everything()).unwrap();
    for length in 0..bytes.len() {
        assert!(decode::<Everything>(&bytes[..length]).is_err());
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let huge = encode(&usize::MAX).unwrap();
    assert!(decode::<Vec<u8>>(&huge).is_err());
    assert!(decode::<Vec<u64>>(&huge).is_err());
    assert!(decode::<String>(&huge).is_err());
    assert!(decode::<HashMap<u8, u8>>(&huge).is_err());
    assert!(decode::<Vec<()>>(&huge).is_err());
}

#[test]
fn elements_without_bytes_are_limited_for_the_whole_message() {
    let many = super::decode::EMPTY_ELEMENTS_MAX;
    travels(vec![(); many]);
    assert!(decode::<Vec<()>>(&encode(&vec![(); many + 1]).unwrap()).is_err());
    assert!(decode::<Vec<Vec<()>>>(&encode(&vec![vec![(); many]; 2]).unwrap()).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch { name: String, numbers: [u64; 4], children: Vec<Tree> },
}

#[test]
fn what_is_nested_too_deep_is_an_error_and_no_overflow() {
    let levels = usize::from(super::decode::LEVELS_MAX);
    // Each link is a newtype and an option, which are two levels.
    let mut within = vec![1_u8; levels / 2 - 1];
    within.push(0);
    assert!(decode::<Chain>(&within).is_ok());
    for error in [
        decode::<Chain>(&vec![1; 1_000_000]).unwrap_err(),
        decode::<Tree>(&[1, 0, 0, 0, 0, 0, 1].repeat(100_000)).unwrap_err(),
    ] {
        assert!(error.to_string().contains("nested"), "{error}");
    }
}

fn text(error: CodecError) -> String {
    error.to_string()
}

#[test]
fn bytes_left_over_are_counted() {
    assert!(text(decode::<u8>(&[1, 2, 3]).unwrap_err()).starts_with("2 bytes are left over"));
    assert!(text(decode::<u32>(&[]).unwrap_err()).contains("end too early"));
}

#[test]
fn a_type_that_asks_for_kinds_is_told_so() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }

    let bytes = encode(&Untagged::Number(1)).unwrap();
    assert!(text(decode::<Untagged>(&bytes).unwrap_err()).contains("untagged"));
    assert!(text(decode::<serde_json::Value>(&bytes).unwrap_err()).contains("serde_json::Value"));
}

#[test]
fn flatten_and_skipped_fields_are_refused_when_encoding() {
    #[derive(Serialize)]
    struct Flat {
        #[serde(flatten)]
        inner: BTreeMap<String, u8>,
    }

    #[derive(Serialize)]
    struct Skips {
        first: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        second: Option<u8>,
    }

    let mut buffer = vec![1];
    let flat = encode_into(&Flat { inner: BTreeMap::new() }, &mut buffer).unwrap_err();
    assert!(text(flat).contains("flatten"));
    let skips = encode_into(&Skips { first: 1, second: None }, &mut buffer).unwrap_err();
    assert!(text(skips).contains("`second`"));
    assert_eq!(buffer, [1], "what a failed value wrote is taken back");
    assert_eq!(encode(&Skips { first: 1, second: Some(2) }).unwrap(), [1, 1, 2]);
}

#[test]
fn the_words_of_a_users_own_error_are_kept() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "u8")]
    struct Even;

    impl TryFrom<u8> for Even {
        type Error = &'static str;

        fn try_from(number: u8) -> Result<Self, Self::Error> {
            if number.is_multiple_of(2) { Ok(Even) } else { Err("the number must be even") }
        }
    }

    assert!(decode::<Even>(&[2]).is_ok());
    assert_eq!(text(decode::<Even>(&[3]).unwrap_err()), "the number must be even");
    assert!(text(decode::<Shape>(&[9]).unwrap_err()).contains("expected variant index 0 <= i < 4"));
}

#[test]
fn a_sequence_that_is_read_in_part_is_an_error() {
    #[derive(Debug)]
    struct First;

    impl<'de> Deserialize<'de> for First {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Reader;

            impl<'de> Visitor<'de> for Reader {
                type Value = First;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a sequence")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First, A::Error> {
                    seq.next_element::<u8>().map(|_| First)
                }
            }

            deserializer.deserialize_seq(Reader)
        }
    }

    assert!(decode::<First>(&[1, 5]).is_ok());
    assert!(text(decode::<First>(&[2, 5, 6]).unwrap_err()).contains("1 elements are left over"));
}

#[test]
fn the_error_can_cross_threads() {
    fn assert_error<T: std::error::Error + Send + Sync + 'static>() {}
    assert_error::<CodecError>();
    assert_eq!(size_of::<Result<(), CodecError>>(), size_of::<usize>());
}
