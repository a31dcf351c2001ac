//! Seconds folded into a minute.

use crate::container::past::Moment;

/// The fields of which a minute tells the mean.
const MEANS: [fn(&mut Moment) -> &mut Option<f32>; 9] = [
    |moment| &mut moment.cpu,
    |moment| &mut moment.throttled,
    |moment| &mut moment.read,
    |moment| &mut moment.written,
    |moment| &mut moment.received,
    |moment| &mut moment.sent,
    |moment| &mut moment.cpu_pressure,
    |moment| &mut moment.memory_pressure,
    |moment| &mut moment.io_pressure,
];

/// A minute that is not over yet.
#[derive(Debug)]
pub struct Minute {
    /// The most of what is counted, and the limits as they were last. Its time is the minute's end.
    sum: Moment,
    means: [(f64, u32); MEANS.len()],
}

impl Minute {
    /// When the minute ends in which a moment is, seconds since 1970: at it, if the moment ends with it.
    fn end(moment: &Moment) -> i64 {
        moment.at.saturating_sub(1).div_euclid(60).saturating_add(1).saturating_mul(60)
    }

    /// A minute with one moment in it.
    pub fn of(moment: Moment) -> Self {
        let mut minute = Self { sum: Moment { at: Self::end(&moment), ..Moment::default() }, means: Default::default() };
        minute.add(moment);
        minute
    }

    /// Whether a moment is in it.
    pub fn holds(&self, moment: &Moment) -> bool {
        Self::end(moment) == self.sum.at
    }

    /// Whether it ends with this moment.
    pub fn ends_with(&self, moment: &Moment) -> bool {
        self.sum.at == moment.at
    }

    /// One moment more.
    pub fn add(&mut self, mut moment: Moment) {
        for (field, (sum, count)) in MEANS.iter().zip(&mut self.means) {
            if let Some(value) = field(&mut moment) {
                *sum += f64::from(*value);
                *count += 1;
            }
        }
        // What is absent is less than anything.
        self.sum.memory = self.sum.memory.max(moment.memory);
        self.sum.processes = self.sum.processes.max(moment.processes);
        (self.sum.cpu_limit, self.sum.memory_limit) = (moment.cpu_limit, moment.memory_limit);
    }

    /// The minute as a whole.
    pub fn close(self) -> Moment {
        let mut whole = self.sum;
        for (field, (sum, count)) in MEANS.iter().zip(self.means) {
            *field(&mut whole) = (count > 0).then(|| (sum / f64::from(count)) as f32);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_the_mean_of_rates_and_the_most_of_what_is_counted() {
        let second = |at, cpu, memory, limit| Moment { at, cpu, memory, memory_limit: limit, processes: Some(3), ..Moment::default() };
        let mut minute = Minute::of(second(61, Some(1.0), Some(5), None));
        assert!(minute.holds(&second(120, None, None, None)) && minute.ends_with(&second(120, None, None, None)));
        assert!(!minute.holds(&second(121, None, None, None)) && !minute.holds(&second(60, None, None, None)));
        minute.add(second(70, Some(2.0), Some(9), Some(10)));
        minute.add(second(80, None, None, Some(20)));
        minute.add(second(90, Some(0.0), Some(7), Some(30)));
        assert_eq!(minute.close(), Moment { at: 120, cpu: Some(1.0), memory: Some(9), memory_limit: Some(30), processes: Some(3), ..Moment::default() });
    }

    #[test]
    fn no_time_is_too_early_or_late() {
        for at in [i64::MIN, -61, -60, 0, 1, i64::MAX] {
            let moment = Moment { at, ..Moment::default() };
            assert!(Minute::of(moment).holds(&moment), "{at}");
        }
    }
}
