#![expect(
    unsafe_code,
    reason = "a constructor is entered by the linker, and finds the others in the headers of the program"
)]
//! The hook: a constructor of the program that becomes a worker before `main`.
//!
//! The constructors of a program are an array of functions, the section `.init_array`, which is called in order. The
//! order between crates is the linker's choice, so that ours may come before those which enter jobs into their table.
//! It therefore finds itself in the array, calls all that come after it, and only then takes over.
//!
//! The array is found in the dynamic section of the program itself, the first image that `dl_iterate_phdr` names. If
//! the hook is not in there, it belongs to a shared library, whose constructors run before those of the program: it
//! does nothing then. The same holds for a program that is linked statically to a fixed address, which has no dynamic
//! section.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use super::marker::Marker;

/// What an entry of the array is. The C library passes what `main` gets; musl passes nothing that means anything.
type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// The tag of the address of the array in the dynamic section: `DT_INIT_ARRAY` of the ELF specification.
const INIT_ARRAY: usize = 25;

/// The tag of its size in bytes: `DT_INIT_ARRAYSZ`.
const INIT_ARRAY_BYTES: usize = 27;

/// An entry of the dynamic section, 32 or 64 bits a word: `Elf32_Dyn`, `Elf64_Dyn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Dynamic {
    tag: usize,
    value: usize,
}

/// Set when the hook is called, so that it acts once.
static RAN: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds pointers to functions of this type, and this is one.
#[cfg(feature = "hook")]
#[used]
#[unsafe(link_section = ".init_array")]
static HOOK: Constructor = hook;

/// True if a start of this program as a worker meets the hook.
pub(super) fn hook_in_place() -> bool {
    RAN.load(Ordering::SeqCst) && later_constructors().is_some()
}

extern "C" fn hook(count: c_int, arguments: *const *const c_char, environment: *const *const c_char) {
    if RAN.swap(true, Ordering::SeqCst) {
        return;
    }
    let Some(marker) = Marker::received() else { return };
    let Some(later) = later_constructors() else { return };
    for &address in later {
        // Both are allowed as entries that mean nothing.
        if address == 0 || address == usize::MAX {
            continue;
        }
        // SAFETY: what stands in the array and is none of these two is a constructor.
        let constructor = unsafe { std::mem::transmute::<usize, Constructor>(address) };
        constructor(count, arguments, environment);
    }
    super::take_over(&marker)
}

/// The constructors of the program that come after the hook; `None` if the hook is not among them.
fn later_constructors() -> Option<&'static [usize]> {
    let all = constructors()?;
    // The first, because an array may name it twice; the guard in the hook sees to the second.
    let place = all.iter().position(|&address| address == hook as *const () as usize)?;
    Some(&all[place + 1..])
}

/// The array of constructors of the program itself, by address.
fn constructors() -> Option<&'static [usize]> {
    let mut image = Image { base: 0, headers: &[] };
    // SAFETY: the callback takes the pointer for an `Image`, which it is, and nobody else has it meanwhile.
    unsafe { libc::dl_iterate_phdr(Some(note_first), (&raw mut image).cast::<c_void>()) };
    let dynamic = image.headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC)?;
    let mut entry = std::ptr::with_exposed_provenance::<Dynamic>(image.base + dynamic.p_vaddr as usize);
    let (mut address, mut bytes) = (None, None);
    loop {
        // SAFETY: the section is part of the running program, and ends with an entry of tag 0, beyond which nothing is
        // read.
        let Dynamic { tag, value } = unsafe { *entry };
        match tag {
            0 => break,
            INIT_ARRAY => address = Some(image.base + value),
            INIT_ARRAY_BYTES => bytes = Some(value),
            _ => {}
        }
        // SAFETY: the entry was not the last.
        entry = unsafe { entry.add(1) };
    }
    let start = std::ptr::with_exposed_provenance::<usize>(address?);
    // SAFETY: the section says that there are so many bytes of pointers there. They were relocated before any
    // constructor ran, are not written after that, and stay as long as the program runs.
    Some(unsafe { std::slice::from_raw_parts(start, bytes? / size_of::<usize>()) })
}

/// Where a part of the process lies, and the table of what is in it.
struct Image {
    base: usize,
    headers: &'static [Header],
}

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Header = libc::Elf32_Phdr;

/// Notes the first image that it is shown, which is the program, and asks for no more.
///
/// # Safety
///
/// `data` points to an [`Image`] that nobody else uses meanwhile, and `info` is valid.
unsafe extern "C" fn note_first(info: *mut libc::dl_phdr_info, _: libc::size_t, data: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid one, and reading needs no more.
    let info = unsafe { &*info };
    // SAFETY: the caller's promise.
    let image = unsafe { &mut *data.cast::<Image>() };
    image.base = info.dlpi_addr as usize;
    if !info.dlpi_phdr.is_null() {
        // SAFETY: the program has so many headers there, and they stay as long as it runs.
        image.headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    }
    1
}
