//! The axes of charts: round numbers beside them, round times below, and which column a moment belongs to.

use crate::container::past::Moment;
use crate::text::size;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What is drawn, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Busy processors, written in hundredths of one.
    Processors,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    Rate,
    /// A share of 1, written in hundredths.
    Share,
}

impl Unit {
    /// A value as it is read.
    pub fn write(self, value: f64) -> String {
        match self {
            Self::Share if value >= 0.0995 => format!("{:.0}%", value * 100.0),
            Self::Processors | Self::Share => format!("{:.1}%", value * 100.0),
            Self::Bytes => size::binary(value as u64),
            Self::Rate => format!("{}/s", size::decimal(value as u64)),
        }
    }

    /// The columns that a value has in a title.
    pub fn room(self) -> usize {
        match self {
            Self::Processors => 7,
            Self::Bytes | Self::Rate => 8,
            Self::Share => 4,
        }
    }

    /// A round value beside an axis.
    fn tick(self, value: f64) -> String {
        match self {
            Self::Processors | Self::Share => format!("{:.0}%", value * 100.0),
            Self::Bytes => size::binary(value.round() as u64),
            Self::Rate => size::decimal(value.round() as u64),
        }
    }

    /// The least that a whole axis tells: noise is not to look like work.
    fn least(self) -> f64 {
        match self {
            Self::Processors | Self::Share => 0.1,
            Self::Bytes => 1_048_576.0,
            Self::Rate => 1000.0,
        }
    }

    /// The next round number: of bytes a power of two, of others 1, 2 or 5 with noughts.
    fn round(self, value: f64) -> f64 {
        if self == Self::Bytes {
            return value.log2().ceil().exp2();
        }
        let power = 10f64.powf(value.log10().floor());
        let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| value <= digit * power * (1.0 + 1e-9)).unwrap_or(10.0);
        digit * power
    }
}

/// A scale from nought up in round steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    unit: Unit,
    step: f64,
    count: usize,
}

impl Scale {
    /// A scale that reaches `most`, in at most so many steps.
    pub fn over(unit: Unit, most: f64, steps: usize) -> Self {
        let most = if most.is_finite() { most.clamp(unit.least(), 1e18) } else { unit.least() };
        let step = unit.round(most / steps.max(1) as f64);
        Self { unit, step, count: ((most / step - 1e-6).ceil() as usize).max(1) }
    }

    /// The highest value.
    pub fn top(&self) -> f64 {
        self.step * self.count as f64
    }

    /// The steps that so many lines have room for, evenly, with how they are written: nought first, the highest last.
    pub fn ticks(&self, lines: usize) -> impl Iterator<Item = (f64, String)> {
        let fits = |stride: &usize| self.count.is_multiple_of(*stride) && (lines.saturating_sub(1)) * stride >= 2 * self.count;
        let stride = (1..self.count).find(fits).unwrap_or(self.count);
        (0..=self.count).step_by(stride).map(|number| self.step * number as f64).map(|value| (value, self.unit.tick(value)))
    }

    /// Which of so many rows of dots a value is on, the lowest being 0; `None` above the scale.
    pub fn row(&self, value: f64, rows: usize) -> Option<usize> {
        let row = (value / self.top() * rows.saturating_sub(1) as f64).round();
        (row >= 0.0 && row < rows as f64).then_some(row as usize)
    }
}

/// Nearer than this, two edges are one.
const NEXT_TO: f64 = 1e-6;

/// The column in which something ends.
fn ending(columns: f64) -> i64 {
    (columns - NEXT_TO).ceil() as i64 - 1
}

/// The least and the most of a column; where nothing is known it is a gap.
pub type Extent = Option<(f32, f32)>;

/// A stretch of time, cut into columns.
///
/// They are cut at the same moments whatever the end: as time goes by, what is drawn moves and keeps its shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its end, seconds since 1970.
    pub end: i64,
    /// How long it is, in seconds.
    pub span: i64,
    /// How many columns of dots show it.
    pub columns: usize,
}

impl Window {
    /// The seconds of one column.
    pub fn width(&self) -> f64 {
        self.span as f64 / self.columns.max(1) as f64
    }

    /// The number of the first column, counted from 1970.
    pub fn first(&self) -> i64 {
        // What ended at `end` is in the last one.
        ending(self.end as f64 / self.width()) + 1 - self.columns as i64
    }

    /// The column in which something happened, if it is one of these.
    pub fn column(&self, at: f64) -> Option<usize> {
        let column = ending(at / self.width()) - self.first();
        usize::try_from(column).ok().filter(|column| *column < self.columns)
    }

    /// Before which no moment is in sight.
    pub fn begin(&self) -> i64 {
        (self.first() as f64 * self.width()).floor() as i64
    }

    /// A figure of moments, the oldest first, in columns. A moment lasts since the one before it, if that was not
    /// longer ago than two `step`s; what lies between is a gap.
    pub fn columns_of(&self, moments: &[Moment], step: i64, figure: impl Fn(&Moment) -> Option<f32>) -> Vec<Extent> {
        let (width, first) = (self.width(), self.first());
        let mut columns: Vec<Extent> = vec![None; self.columns];
        let mut put = |column: i64, value: f32| {
            if let Some(place) = usize::try_from(column - first).ok().and_then(|column| columns.get_mut(column)) {
                *place = Some(place.map_or((value, value), |(least, most)| (least.min(value), most.max(value))));
            }
        };
        let mut before = None;
        for moment in &moments[moments.partition_point(|moment| moment.at < self.begin())..] {
            let since = before.filter(|before| *before < moment.at && moment.at.saturating_sub(*before) <= 2 * step).unwrap_or(moment.at.saturating_sub(step));
            before = Some(moment.at);
            let Some(value) = figure(moment).filter(|value| value.is_finite() && *value >= 0.0) else { continue };
            // Of narrow columns all that begin in it, of wide ones that in which it ends: none is drawn twice, and the last
            // column always has what is newest.
            let last = ending(moment.at as f64 / width);
            let from = (since as f64 / width - NEXT_TO).ceil() as i64;
            (from.min(last).max(first)..=last.min(first + self.columns as i64)).for_each(|column| put(column, value));
        }
        columns
    }

    /// Round times of the clock: the column of each and how it is written, as many as stand apart by `room` columns for a
    /// character.
    pub fn times(&self, room: usize, zone: &TimeZone) -> Vec<(usize, String)> {
        const STEPS: [i64; 14] = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600];
        let form = |step: i64| if step < 60 { ("%H:%M:%S", 8) } else { ("%H:%M", 5) };
        let fits = |step: &i64| *step as f64 / self.width() >= ((form(*step).1 + 3) * room) as f64;
        let Some(step) = STEPS.into_iter().find(fits) else { return Vec::new() };
        let shift = Timestamp::from_second(self.end).map_or(0, |end| i64::from(zone.to_offset(end).seconds()));
        let mut at = (self.begin() + shift).div_euclid(step) * step - shift;
        let mut times = Vec::new();
        while at <= self.end {
            if let (Some(column), Ok(moment)) = (self.column(at as f64), Timestamp::from_second(at)) {
                times.push((column, moment.to_zoned(zone.clone()).strftime(form(step).0).to_string()));
            }
            at += step;
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(unit: Unit, most: f64, steps: usize) -> Vec<String> {
        Scale::over(unit, most, steps).ticks(99).map(|(_, words)| words).collect()
    }

    #[test]
    fn steps_are_round_and_few() {
        assert_eq!(told(Unit::Processors, 1.02, 4), ["0%", "50%", "100%", "150%"]);
        assert_eq!(told(Unit::Processors, 0.0, 2), ["0%", "5%", "10%"]);
        assert_eq!(told(Unit::Bytes, 70.0 * 1_048_576.0, 4), ["0B", "32MiB", "64MiB", "96MiB"]);
        assert_eq!(told(Unit::Rate, 1.0, 1), ["0B", "1kB"]);
        assert_eq!(told(Unit::Rate, 3_100_000.0, 4), ["0B", "1MB", "2MB", "3MB", "4MB"]);
        assert_eq!(told(Unit::Share, f64::NAN, 1), ["0%", "10%"]);
        // Where there is little room, not all steps are written.
        let written = |lines| Scale::over(Unit::Share, 0.8, 4).ticks(lines).map(|(_, words)| words).collect::<Vec<_>>();
        assert_eq!(written(9), ["0%", "20%", "40%", "60%", "80%"]);
        assert_eq!([written(5).join(" "), written(3).join(" ")], ["0% 40% 80%", "0% 80%"]);
    }

    #[test]
    fn values_are_on_the_row_that_shows_them() {
        let scale = Scale::over(Unit::Share, 1.0, 1);
        assert_eq!([0.0, 0.5, 1.0].map(|value| scale.row(value, 9)), [Some(0), Some(4), Some(8)]);
        assert_eq!(scale.row(1.2, 9), None);
    }

    fn moment(at: i64, cpu: f32) -> Moment {
        Moment { at, cpu: Some(cpu), ..Moment::default() }
    }

    #[test]
    fn moments_fill_the_columns_of_their_time_and_gaps_stay_empty() {
        let past = [moment(101, 1.0), moment(102, 2.0), moment(106, 3.0), moment(110, f32::NAN)];
        let cpu = |window: Window| window.columns_of(&past, 1, |moment| moment.cpu).iter().map(|extent| extent.map(|(_, most)| most)).collect::<Vec<_>>();
        let two = Window { end: 106, span: 6, columns: 12 };
        let (one, gap) = (Some(1.0), None);
        assert_eq!(cpu(two), [one, one, Some(2.0), Some(2.0), gap, gap, gap, gap, gap, gap, Some(3.0), Some(3.0)]);
        assert_eq!(cpu(Window { end: 106, span: 6, columns: 3 }), [Some(2.0), gap, Some(3.0)]);
        // A second that was missed is told by the next: a rate is of all the time since.
        let past = [moment(101, 1.0), moment(103, 2.0)];
        let window = Window { end: 103, span: 3, columns: 3 };
        assert_eq!(window.columns_of(&past, 1, |moment| moment.cpu).iter().flatten().count(), 3);
        let spread = Window { end: 104, span: 4, columns: 1 }.columns_of(&past, 1, |moment| moment.cpu);
        assert_eq!(spread, [Some((1.0, 2.0))]);
    }

    #[test]
    fn times_are_round_in_the_zone_and_stand_apart() {
        let window = Window { end: 1_700_100_007, span: 60, columns: 116 };
        assert_eq!(window.times(2, &TimeZone::UTC), [(14, "01:59:15".into()), (43, "01:59:30".into()), (72, "01:59:45".into()), (101, "02:00:00".into())]);
        let zone = TimeZone::fixed(jiff::tz::offset(5).saturating_add(jiff::SignedDuration::from_mins(30)));
        let hours: Vec<String> = Window { end: 1_700_100_007, span: 86_400, columns: 116 }.times(2, &zone).into_iter().map(|(_, words)| words).collect();
        assert_eq!(hours, ["12:00", "18:00", "00:00", "06:00"]);
    }

    proptest! {
        /// What is drawn keeps its shape as time goes by.
        #[test]
        fn columns_move_and_do_not_change(end in 1_700_000_000i64..1_700_001_000, span in 60i64..7200, columns in 1usize..300, later in 1i64..50) {
            let past: Vec<Moment> = (end - span - 100..end).map(|at| moment(at, (at % 17) as f32)).collect();
            let at = |end| {
                let window = Window { end, span, columns };
                (window.first(), window.columns_of(&past, 1, |moment| moment.cpu))
            };
            let ((one, before), (two, after)) = (at(end), at(end + later));
            let shift = (two - one) as usize;
            // The first and the last column of the two may be cut short.
            for column in shift + 1..columns.saturating_sub(1) {
                prop_assert_eq!(before[column], after[column - shift]);
            }
        }
    }
}
