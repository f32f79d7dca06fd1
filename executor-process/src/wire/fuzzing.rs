//! What the fuzz targets call: both decoders, fed with any bytes.
//!
//! The first byte says in what portions the rest is read. Each decoder must answer without a panic, and must not hold more
//! memory than the bytes that came and one step.

use std::io::Read;

use crate::wire::incoming::{Incoming, STEP_BYTES, Then};
use crate::wire::order::Orders;
use crate::wire::report::Reports;
use crate::wire::window::Window;
use crate::wire::{Page, Region};

const FRAME_BYTES_MAX: u64 = 1 << 30;

/// Reads the bytes as a worker reads its orders.
pub fn orders(bytes: &[u8]) {
    let mut orders = Orders::new(FRAME_BYTES_MAX);
    in_portions(bytes, |mut portion| {
        loop {
            while orders.next()?.is_some() {}
            if !fill(&mut orders.incoming, &mut portion, bytes.len()) {
                return Ok(());
            }
        }
    });
}

/// Reads the bytes as an owner reads the reports of a worker that has three frames.
pub fn reports(bytes: &[u8]) {
    let Ok((region, _)) = Region::create() else { return };
    let (page, mut window) = (Page::new(region), Window::default());
    for items in [1, 2, u16::MAX] {
        if let Some(place) = window.open(items) {
            page.post(place, items);
        }
    }
    let mut reports = Reports::new(FRAME_BYTES_MAX);
    in_portions(bytes, |mut portion| {
        loop {
            while let Some(report) = reports.next()? {
                window.note(&report, &page)?;
            }
            if !fill(&mut reports.incoming, &mut portion, bytes.len()) {
                return Ok(());
            }
        }
    });
}

fn in_portions(bytes: &[u8], mut read: impl FnMut(&[u8]) -> Result<(), crate::wire::FrameError>) {
    let Some((&step, bytes)) = bytes.split_first() else { return };
    for portion in bytes.chunks(usize::from(step) + 1) {
        if read(portion).is_err() {
            return;
        }
    }
}

/// False once the portion is read.
fn fill(incoming: &mut Incoming, portion: &mut impl Read, bytes: usize) -> bool {
    let more = incoming.fill(portion, usize::MAX).is_ok_and(|filled| filled.then != Then::End);
    assert!(incoming.reserved_bytes() <= STEP_BYTES + 2 * bytes, "what is only claimed must not be allocated");
    more
}
