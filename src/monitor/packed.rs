//! Moments in few bytes, each as what differs from the one before: so a monitor keeps them, and so they are sent.
//!
//! ```text
//!  moment:  what follows (u16) · [step] · [present (u16)] · values
//!
//!  what follows   bits 0 to 12: another value of this field; 13: a step of other than one second; 14: other fields are present
//!  step, whole    the difference, zigzag, seven bits a byte, lowest first; a set eighth bit: more follows
//!  share, rate    f32
//! ```
//!
//! Numbers are big-endian. Before the first moment, time is 0 and nothing is present. One of an idle container takes two
//! bytes, one in which everything changes about fifty.

use crate::container::past::Moment;

/// The most bytes of one moment.
pub const LONGEST: usize = 80;

const FIELDS: usize = 13;
const STEP: u16 = 1 << 13;
const PRESENT: u16 = 1 << 14;

/// Which fields are whole numbers.
const WHOLE: [usize; 3] = [3, 4, 5];

/// A moment's fields as they are numbered here; those that are no whole numbers by their bits.
fn values(moment: &Moment) -> [Option<u64>; FIELDS] {
    let bits = |value: Option<f32>| value.map(|value| u64::from(value.to_bits()));
    [
        bits(moment.cpu),
        bits(moment.cpu_limit),
        bits(moment.throttled),
        moment.memory,
        moment.memory_limit,
        moment.processes.map(u64::from),
        bits(moment.read),
        bits(moment.written),
        bits(moment.received),
        bits(moment.sent),
        bits(moment.cpu_pressure),
        bits(moment.memory_pressure),
        bits(moment.io_pressure),
    ]
}

/// The moment with these fields; `None` if one is not what it must be.
fn moment(at: i64, values: [Option<u64>; FIELDS]) -> Option<Moment> {
    let [cpu, cpu_limit, throttled, memory, memory_limit, processes, read, written, received, sent, cpu_pressure, memory_pressure, io_pressure] = values;
    let real = |bits: Option<u64>| match bits.map(|bits| f32::from_bits(bits as u32)) {
        Some(value) if !value.is_finite() => None,
        other => Some(other),
    };
    Some(Moment {
        at,
        cpu: real(cpu)?,
        cpu_limit: real(cpu_limit)?,
        throttled: real(throttled)?,
        memory,
        memory_limit,
        processes: processes.map(u32::try_from).transpose().ok()?,
        read: real(read)?,
        written: real(written)?,
        received: real(received)?,
        sent: real(sent)?,
        cpu_pressure: real(cpu_pressure)?,
        memory_pressure: real(memory_pressure)?,
        io_pressure: real(io_pressure)?,
    })
}

/// Appends a moment that comes after `previous`.
pub fn pack(previous: &Moment, moment: &Moment, out: &mut Vec<u8>) {
    let (before, now) = (values(previous), values(moment));
    let mask = |holds: &dyn Fn(usize) -> bool| (0..FIELDS).filter(|field| holds(*field)).fold(0, |mask, field| mask | 1 << field);
    let present: u16 = mask(&|field| now[field].is_some());
    let mut what: u16 = mask(&|field| now[field].is_some() && now[field] != before[field]);
    let step = moment.at.wrapping_sub(previous.at);
    if step != 1 {
        what |= STEP;
    }
    if present != mask(&|field| before[field].is_some()) {
        what |= PRESENT;
    }
    out.extend_from_slice(&what.to_be_bytes());
    if what & STEP != 0 {
        write_difference(step, out);
    }
    if what & PRESENT != 0 {
        out.extend_from_slice(&present.to_be_bytes());
    }
    for field in (0..FIELDS).filter(|field| what & 1 << field != 0) {
        let value = now[field].unwrap_or(0);
        if WHOLE.contains(&field) {
            write_difference(value.wrapping_sub(before[field].unwrap_or(0)) as i64, out);
        } else {
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
    }
}

/// Takes the moment after `previous` off the beginning of `bytes`; `None` if they hold no whole one, or none at all.
pub fn take(previous: &Moment, bytes: &mut &[u8]) -> Option<Moment> {
    let before = values(previous);
    let what = read_u16(bytes)?;
    if what & 1 << 15 != 0 {
        return None;
    }
    let step = if what & STEP == 0 { 1 } else { read_difference(bytes)? };
    let present = if what & PRESENT == 0 { None } else { Some(read_u16(bytes)?) };
    let mut now = [None; FIELDS];
    for (field, value) in now.iter_mut().enumerate() {
        let is_present = present.map_or(before[field].is_some(), |mask| mask & 1 << field != 0);
        let has_changed = what & 1 << field != 0;
        *value = match (is_present, has_changed) {
            (false, false) => None,
            // What is absent has no value, and what was absent has none to keep.
            (false, true) => return None,
            (true, false) => Some(before[field]?),
            (true, true) if WHOLE.contains(&field) => Some(before[field].unwrap_or(0).wrapping_add(read_difference(bytes)? as u64)),
            (true, true) => {
                let (bits, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(u64::from(u32::from_be_bytes(*bits)))
            }
        };
    }
    moment(previous.at.wrapping_add(step), now)
}

/// All moments of a text of bytes; `None` if it is something else, or more than `most`.
pub fn unpack(mut bytes: &[u8], most: usize) -> Option<Vec<Moment>> {
    let (mut list, mut previous) = (Vec::new(), Moment::default());
    while !bytes.is_empty() {
        if list.len() == most {
            return None;
        }
        previous = take(&previous, &mut bytes)?;
        list.push(previous);
    }
    Some(list)
}

fn read_u16(bytes: &mut &[u8]) -> Option<u16> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u16::from_be_bytes(*number))
}

fn write_difference(difference: i64, out: &mut Vec<u8>) {
    // Zigzag: small ones of either sign are short.
    let mut rest = ((difference << 1) ^ (difference >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn read_difference(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn moments() -> impl Strategy<Value = Moment> {
        let real = || proptest::option::of(prop_oneof![Just(0.0), Just(1.5), -1e30f32..1e30]);
        let whole = || proptest::option::of(prop_oneof![Just(0), Just(4096), any::<u64>()]);
        let time = prop_oneof![0..4i64, any::<i64>()];
        let rates = (real(), real(), real(), real(), real(), real(), real());
        (time, (real(), real(), real()), (whole(), whole(), proptest::option::of(any::<u32>())), rates).prop_map(
            |(at, (cpu, cpu_limit, throttled), (memory, memory_limit, processes), rest)| {
                let (read, written, received, sent, cpu_pressure, memory_pressure, io_pressure) = rest;
                Moment {
                    at,
                    cpu,
                    cpu_limit,
                    throttled,
                    memory,
                    memory_limit,
                    processes,
                    read,
                    written,
                    received,
                    sent,
                    cpu_pressure,
                    memory_pressure,
                    io_pressure,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn moments_come_out_as_they_went_in(list in proptest::collection::vec(moments(), 0..20)) {
            let (mut bytes, mut previous) = (Vec::new(), Moment::default());
            for moment in &list {
                let before = bytes.len();
                pack(&previous, moment, &mut bytes);
                prop_assert!(bytes.len() - before <= LONGEST);
                previous = *moment;
            }
            prop_assert_eq!(unpack(&bytes, list.len()), Some(list.clone()));
            if !list.is_empty() {
                prop_assert_eq!(unpack(&bytes, list.len() - 1), None, "more than asked for");
                prop_assert_eq!(unpack(&bytes[..bytes.len() - 1], list.len()), None, "cut short");
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for moment in unpack(&bytes, 100).unwrap_or_default() {
                prop_assert!(values(&moment).iter().enumerate().all(|(field, value)| WHOLE.contains(&field) || value.is_none_or(|bits| f32::from_bits(bits as u32).is_finite())));
            }
        }
    }

    #[test]
    fn what_does_not_change_costs_nothing() {
        let idle = Moment { at: 1, cpu: Some(0.0), memory: Some(1 << 20), processes: Some(1), ..Moment::default() };
        let mut bytes = Vec::new();
        pack(&idle, &Moment { at: 2, ..idle }, &mut bytes);
        assert_eq!(bytes.len(), 2);
        let busy = Moment { at: 2, cpu: Some(0.3), memory: Some(2 << 20), ..idle };
        bytes.clear();
        pack(&idle, &busy, &mut bytes);
        assert_eq!(bytes.len(), 2 + 4 + 4);
    }
}
