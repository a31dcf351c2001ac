//! The last so many moments, packed: an hour of seconds or a day of minutes in a few dozen kilobytes.

use super::super::packed;
use crate::container::past::Moment;
use std::collections::VecDeque;

/// So many moments are packed together. They are forgotten together, too, so that a few more are held than are told.
const TOGETHER: usize = 60;

/// Moments, oldest first, each later than the one before.
#[derive(Debug)]
pub struct Ring {
    /// How many are told.
    most: usize,
    closed: VecDeque<Chunk>,
    open: Vec<u8>,
    /// How many are in `open`.
    count: usize,
    last: Option<Moment>,
}

/// Packed moments that are complete.
#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    /// The time of its last moment.
    last: i64,
}

impl Ring {
    /// One that tells so many; it takes room only as it fills.
    pub fn new(most: usize) -> Self {
        Self { most, closed: VecDeque::new(), open: Vec::new(), count: 0, last: None }
    }

    /// The newest.
    pub fn last(&self) -> Option<&Moment> {
        self.last.as_ref()
    }

    /// Adds one. What was at the same time or later was told by a clock that has been set back since, and is forgotten.
    pub fn push(&mut self, moment: &Moment) {
        if self.last.is_some_and(|last| last.at >= moment.at) {
            let before: Vec<Moment> = self.after(None).take_while(|known| known.at < moment.at).collect();
            *self = Self::new(self.most);
            for known in &before {
                self.add(known);
            }
        }
        self.add(moment);
    }

    fn add(&mut self, moment: &Moment) {
        // Each chunk is read by itself.
        let previous = self.last.filter(|_| self.count > 0).unwrap_or_default();
        packed::pack(&previous, moment, &mut self.open);
        self.count += 1;
        self.last = Some(*moment);
        if self.count == TOGETHER {
            // A copy of its size, so that the open one's room is used again.
            self.closed.push_back(Chunk { bytes: self.open.as_slice().into(), last: moment.at });
            self.open.clear();
            self.count = 0;
            if (self.closed.len() - 1) * TOGETHER >= self.most {
                self.closed.pop_front();
            }
        }
    }

    /// Those later than this time, in seconds since 1970; all without one.
    pub fn after(&self, time: Option<i64>) -> impl Iterator<Item = Moment> + '_ {
        let held = self.closed.len() * TOGETHER + self.count;
        let too_many = held.saturating_sub(self.most);
        let closed = self.closed.iter().enumerate().map(move |(at, chunk)| (at * TOGETHER, &*chunk.bytes, Some(chunk.last)));
        let all = closed.chain([(self.closed.len() * TOGETHER, &*self.open, self.last.map(|last| last.at))]);
        all.filter(move |(_, _, last)| time.is_none_or(|time| last.is_some_and(|last| last > time)))
            .flat_map(|(first, bytes, _)| Unpacked { rest: bytes, previous: Moment::default() }.enumerate().map(move |(at, moment)| (first + at, moment)))
            .filter(move |(at, moment)| *at >= too_many && time.is_none_or(|time| moment.at > time))
            .map(|(_, moment)| moment)
    }

    /// Bytes of memory it takes, but for what the allocator adds.
    #[cfg(test)]
    fn size(&self) -> usize {
        self.closed.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() + self.closed.capacity() * size_of::<Chunk>() + self.open.capacity()
    }
}

/// The moments of a chunk.
struct Unpacked<'a> {
    rest: &'a [u8],
    previous: Moment,
}

impl Iterator for Unpacked<'_> {
    type Item = Moment;

    fn next(&mut self) -> Option<Moment> {
        self.previous = packed::take(&self.previous, &mut self.rest)?;
        Some(self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::past::SECONDS;
    use proptest::prelude::*;

    fn moment(at: i64) -> Moment {
        Moment { at, memory: Some(at as u64), ..Moment::default() }
    }

    fn times(ring: &Ring, after: Option<i64>) -> Vec<i64> {
        ring.after(after).map(|moment| moment.at).collect()
    }

    proptest! {
        #[test]
        fn it_tells_the_last_ones_as_a_list_would(steps in proptest::collection::vec(-20i64..400, 0..400), most in 1usize..200, after in 0i64..20_000) {
            let (mut ring, mut list, mut at) = (Ring::new(most), Vec::new(), 10_000);
            for step in steps {
                at += step;
                ring.push(&moment(at));
                list.retain(|known: &Moment| known.at < at);
                list.push(moment(at));
            }
            let told: Vec<Moment> = ring.after(None).collect();
            prop_assert!(told.len() <= most);
            prop_assert!(list.ends_with(&told), "{told:?} {list:?}");
            prop_assert_eq!(told.last(), list.last());
            let some = ring.after(Some(after)).collect::<Vec<_>>();
            prop_assert_eq!(some, told.into_iter().filter(|moment| moment.at > after).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_hour_is_an_hour_and_is_small() {
        let mut idle = Ring::new(SECONDS);
        let mut busy = Ring::new(SECONDS);
        for at in 0..10_000 {
            idle.push(&Moment { at, cpu: Some(0.0), memory: Some(4 << 20), processes: Some(1), ..Moment::default() });
            let rate = Some(at as f32 / 7.0);
            busy.push(&Moment {
                at,
                cpu: rate,
                cpu_limit: Some(1.0),
                throttled: rate,
                memory: Some((at as u64 % 7) << 28),
                memory_limit: Some(4 << 30),
                processes: Some(at as u32 % 100),
                read: rate,
                written: rate,
                received: rate,
                sent: rate,
                cpu_pressure: rate,
                memory_pressure: rate,
                io_pressure: rate,
            });
            if at == 0 {
                assert!(idle.size() < 1024, "{}", idle.size());
            }
        }
        assert_eq!(times(&idle, None), (6400..10_000).collect::<Vec<_>>());
        assert_eq!(times(&busy, Some(9990)), (9991..10_000).collect::<Vec<_>>());
        assert!(idle.size() < 16 << 10, "{}", idle.size());
        assert!(busy.size() < 200 << 10, "{}", busy.size());
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_what_is_not_yet() {
        let mut ring = Ring::new(SECONDS);
        (1..200).for_each(|at| ring.push(&moment(at)));
        ring.push(&moment(100));
        assert_eq!(times(&ring, None), (1..101).collect::<Vec<_>>());
        assert_eq!(times(&ring, Some(100)), [0; 0]);
        ring.push(&moment(500));
        assert_eq!(times(&ring, Some(99)), [100, 500]);
    }
}
