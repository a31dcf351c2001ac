//! The options for limits that `run`, `create` and `update` share, as the command line spells them.

use super::values;
use crate::container::{DeviceRate, DeviceWeight, RestartPolicy, Update};
use crate::engine::{Error, Result};
use clap::Args;

/// What a container may use, and when it is started again. What is not named is not changed.
#[derive(Args, Clone, Debug, Default)]
pub struct LimitOptions {
    /// Most memory (512m, 2g; 0: no limit)
    #[arg(short, long, value_name = "BYTES", allow_hyphen_values = true)]
    pub memory: Option<String>,
    /// Memory kept under pressure (0: none)
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub memory_reservation: Option<String>,
    /// Most memory and swap together (-1: no limit on swap; 0: twice the memory)
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub memory_swap: Option<String>,
    /// How readily its memory is swapped out, 0 to 100 (-1: as this machine is; cgroup v1 only)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub memory_swappiness: Option<i64>,
    /// Most processors (0.5, 2; 0: no limit)
    #[arg(long, value_name = "NUMBER")]
    pub cpus: Option<String>,
    /// Relative weight among containers (0: the usual one, 1024)
    #[arg(short, long, value_name = "WEIGHT")]
    pub cpu_shares: Option<u64>,
    /// Length of a scheduling period in microseconds (0: the usual one, 100000)
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_period: Option<u64>,
    /// Processor time in a period, in microseconds (-1: no limit)
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,
    /// Processors it may use (0-2,4; "" for all)
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it may use ("" for all)
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// Most processes (-1: no limit)
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub pids_limit: Option<i64>,
    /// Relative weight of block I/O, 10 to 1000 (0: the usual one)
    #[arg(long, value_name = "WEIGHT")]
    pub blkio_weight: Option<u16>,
    /// Another weight on one disk (repeatable; 0: as elsewhere)
    #[arg(long, value_name = "DISK:WEIGHT")]
    pub blkio_weight_device: Vec<String>,
    /// Most bytes a second read from a disk, /dev/sda:10m (repeatable; 0: no limit)
    #[arg(long, value_name = "DISK:BYTES")]
    pub device_read_bps: Vec<String>,
    /// Most bytes a second written to a disk
    #[arg(long, value_name = "DISK:BYTES")]
    pub device_write_bps: Vec<String>,
    /// Most operations a second that read from a disk
    #[arg(long, value_name = "DISK:NUMBER")]
    pub device_read_iops: Vec<String>,
    /// Most operations a second that write to a disk
    #[arg(long, value_name = "DISK:NUMBER")]
    pub device_write_iops: Vec<String>,
    /// Restart policy: no, on-failure or on-failure:n, always, unless-stopped
    #[arg(long, value_name = "POLICY")]
    pub restart: Option<String>,
}

impl LimitOptions {
    /// The change that is asked for.
    ///
    /// # Errors
    /// What is no value of its option, or not on this machine.
    pub fn update(&self) -> Result<Update> {
        let size = |option: &str, text: &Option<String>| text.as_deref().map(|text| if text == "-1" { Ok(0) } else { values::bytes(option, text) }).transpose();
        let memory_swap = match self.memory_swap.as_deref() {
            Some("-1") => Some(u64::MAX),
            Some(text) => Some(values::bytes("--memory-swap", text)?),
            None => None,
        };
        for (option, list, online) in
            [("--cpuset-cpus", &self.cpuset_cpus, "/sys/devices/system/cpu/online"), ("--cpuset-mems", &self.cpuset_mems, "/sys/devices/system/node/online")]
        {
            if let Some(list) = list.as_deref().filter(|list| !list.is_empty()) {
                values::numbers(option, list, std::fs::read_to_string(online).ok().as_deref().map(str::trim))?;
            }
        }
        let restart = self.restart.as_deref().map(RestartPolicy::parse).transpose().map_err(Error::invalid)?;
        Ok(Update {
            memory: size("-m", &self.memory)?,
            memory_reservation: size("--memory-reservation", &self.memory_reservation)?,
            memory_swap,
            memory_swappiness: self.memory_swappiness,
            nano_cpus: self.cpus.as_deref().map(values::nano_cpus).transpose()?,
            cpu_quota: self.cpu_quota.map(|quota| u64::try_from(quota).unwrap_or(0)),
            cpu_period: self.cpu_period,
            cpu_shares: self.cpu_shares,
            cpuset_cpus: self.cpuset_cpus.clone(),
            cpuset_mems: self.cpuset_mems.clone(),
            pids_limit: self.pids_limit.map(|limit| u64::try_from(limit).unwrap_or(0)),
            blkio_weight: self.blkio_weight,
            blkio_weight_device: self.blkio_weight_device.iter().map(|text| weight(text)).collect::<Result<_>>()?,
            blkio_device_read_bps: rates("--device-read-bps", &self.device_read_bps, true)?,
            blkio_device_write_bps: rates("--device-write-bps", &self.device_write_bps, true)?,
            blkio_device_read_iops: rates("--device-read-iops", &self.device_read_iops, false)?,
            blkio_device_write_iops: rates("--device-write-iops", &self.device_write_iops, false)?,
            restart_policy: restart,
        })
    }
}

/// `DISK:VALUE` taken apart at the last colon: names of disks by their ports hold some.
fn disk<'a>(option: &str, text: &'a str, what: &str) -> Result<(&'a str, &'a str)> {
    match text.rsplit_once(':') {
        Some((path, value)) if path.starts_with('/') && path.len() < 256 => Ok((path, value)),
        _ => Err(Error::invalid(format!(
            "invalid value {text:?} for {option}: expected a disk and {what}, such as /dev/sda:{}",
            if what == "bytes" { "10m" } else { "500" }
        ))),
    }
}

fn rates(option: &str, texts: &[String], bytes: bool) -> Result<Vec<DeviceRate>> {
    let rate = |text: &String| {
        let (path, value) = disk(option, text, if bytes { "bytes" } else { "a number" })?;
        let rate = if bytes { values::bytes(option, value)? } else { number(option, value)? };
        Ok(DeviceRate { path: path.to_owned(), rate })
    };
    texts.iter().map(rate).collect()
}

fn weight(text: &str) -> Result<DeviceWeight> {
    let option = "--blkio-weight-device";
    let (path, value) = disk(option, text, "a weight")?;
    Ok(DeviceWeight { path: path.to_owned(), weight: number(option, value)? })
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::invalid(format!("invalid value {text:?} for {option}: expected a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_a_disk_names_it() {
        let rate = |text: &str| rates("--device-read-bps", &[text.to_owned()], true).map(|rates| (rates[0].path.clone(), rates[0].rate));
        assert_eq!(rate("/dev/sda:10m").unwrap(), ("/dev/sda".to_owned(), 10 << 20));
        assert_eq!(rate("/dev/disk/by-path/pci-0000:00:1f.2:0").unwrap(), ("/dev/disk/by-path/pci-0000:00:1f.2".to_owned(), 0));
        for text in ["/dev/sda", "sda:1", "", ":", "/dev/sda:", "/dev/sda:-1", "/dev/sda:x"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert!(rates("--device-read-iops", &["/dev/sda:1k".to_owned()], false).is_err(), "operations are counted one by one");
        assert_eq!(weight("/dev/sda:300").unwrap().weight, 300);
        assert!(weight("/dev/sda:70000").is_err());
    }

    #[test]
    fn the_ways_to_take_a_limit_away() {
        let options = |change: &dyn Fn(&mut LimitOptions)| {
            let mut options = LimitOptions::default();
            change(&mut options);
            options.update().unwrap()
        };
        assert!(options(&|_| {}).is_empty());
        for text in ["0", "-1"] {
            assert_eq!(options(&|o| o.memory = Some(text.to_owned())).memory, Some(0));
        }
        for number in [0, -1] {
            assert_eq!(options(&|o| o.pids_limit = Some(number)).pids_limit, Some(0));
            assert_eq!(options(&|o| o.cpu_quota = Some(number)).cpu_quota, Some(0));
        }
        assert_eq!(options(&|o| o.cpus = Some("0".to_owned())).nano_cpus, Some(0));
        assert_eq!(options(&|o| o.memory_swap = Some("-1".to_owned())).memory_swap, Some(u64::MAX));
        assert_eq!(options(&|o| o.cpuset_cpus = Some(String::new())).cpuset_cpus.as_deref(), Some(""));
        assert!(LimitOptions { cpuset_cpus: Some("4096".to_owned()), ..LimitOptions::default() }.update().is_err());
    }
}
