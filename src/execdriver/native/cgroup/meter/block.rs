//! Block devices: what was read and written.

use crate::execdriver::Detail;
use crate::execdriver::counters::{Counters, Room, Shape, Unreadable, lines, number, text, words};
use crate::execdriver::usage::Device;
use std::io;
use std::path::Path;

/// How many devices are told.
const MOST: usize = 1024;

/// v1's counters of bytes and of operations, best first. The first kind is the throttle's, with what is below the cgroup;
/// the last that of a scheduler.
const OLD: [[&str; 2]; 3] = [
    ["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"],
    ["blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"],
    ["blkio.bfq.io_service_bytes_recursive", "blkio.bfq.io_serviced_recursive"],
];

/// The open files of a machine of either kind.
#[derive(Debug)]
pub enum Files {
    V1 {
        bytes: Counters,
        operations: Option<Counters>,
        /// The kernel counts here: since 6.10 it does only from the first throttle on that a disk is given anywhere.
        counted: bool,
    },
    V2(Counters),
}

impl Files {
    /// `mount` is the top of the hierarchy.
    pub fn v1(mount: &Path, folder: &Path, detail: Detail) -> io::Result<Option<Self>> {
        for [bytes, operations] in OLD {
            if let Some(counters) = Counters::open(folder, bytes, Shape::Whole)? {
                let all = match Counters::open(mount, bytes, Shape::Whole)? {
                    Some(all) => all.read(&mut Room::new()).is_ok_and(|text| lines(text).any(|line| old(line).is_some())),
                    None => false,
                };
                let operations = if detail == Detail::Full { Counters::open(folder, operations, Shape::Whole)? } else { None };
                return Ok(Some(Self::V1 { bytes: counters, operations, counted: all }));
            }
        }
        Ok(None)
    }

    pub fn v2(folder: &Path) -> io::Result<Option<Self>> {
        Ok(Counters::open(folder, "io.stat", Shape::Whole)?.map(Self::V2))
    }

    pub fn read(&self, room: &mut Room, devices: &mut Option<Vec<Device>>) -> Result<(), Unreadable> {
        let mut found = devices.take().unwrap_or_default();
        found.clear();
        match self {
            Self::V1 { bytes, operations, counted } => {
                for line in lines(bytes.read(room)?) {
                    let Some((number, kind, count)) = old(line) else { continue };
                    let Some(device) = entry(&mut found, number) else { continue };
                    match kind {
                        b"Read" => device.read = count,
                        b"Write" => device.written = count,
                        _ => {}
                    }
                }
                for line in text(operations.as_ref(), room)?.into_iter().flat_map(lines) {
                    let Some((number, kind, count)) = old(line) else { continue };
                    let Some(device) = entry(&mut found, number) else { continue };
                    match kind {
                        b"Read" => device.reads = count,
                        b"Write" => device.writes = count,
                        _ => {}
                    }
                }
                *devices = (*counted || !found.is_empty()).then_some(found);
            }
            Self::V2(stat) => {
                found.extend(lines(stat.read(room)?).filter_map(new).take(MOST));
                *devices = Some(found);
            }
        }
        Ok(())
    }
}

/// The entry of a device, made if there is room for one more.
fn entry(devices: &mut Vec<Device>, number: (u32, u32)) -> Option<&mut Device> {
    let at = match devices.iter().position(|device| device.number == number) {
        Some(at) => at,
        None if devices.len() < MOST => {
            devices.push(Device { number, ..Device::default() });
            devices.len() - 1
        }
        None => return None,
    };
    devices.get_mut(at)
}

/// `8:0`.
fn device(word: &[u8]) -> Option<(u32, u32)> {
    let colon = word.iter().position(|byte| *byte == b':')?;
    let part = |digits| u32::try_from(number(digits)?).ok();
    Some((part(&word[..colon])?, part(&word[colon + 1..])?))
}

/// `8:0 Read 4096`.
fn old(line: &[u8]) -> Option<((u32, u32), &[u8], u64)> {
    let mut words = words(line);
    Some((device(words.next()?)?, words.next()?, number(words.next()?)?))
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`; a device without figures was not used.
fn new(line: &[u8]) -> Option<Device> {
    let mut words = words(line);
    let mut device = Device { number: device(words.next()?)?, ..Device::default() };
    let mut used = false;
    for word in words {
        let Some(equals) = word.iter().position(|byte| *byte == b'=') else { continue };
        let figure = match &word[..equals] {
            b"rbytes" => &mut device.read,
            b"wbytes" => &mut device.written,
            b"rios" => &mut device.reads,
            b"wios" => &mut device.writes,
            _ => continue,
        };
        *figure = number(&word[equals + 1..]).unwrap_or(0);
        used = true;
    }
    used.then_some(device)
}
