/// stub
#[macro_export]
macro_rules! register_job {
    ($type:ty) => { fn entry() -> &'static $crate::JobEntry { static ENTRY: $crate::JobEntry = $crate::JobEntry::of::<$type>(None, concat!(file!(), ":", line!())); &ENTRY } };
}
