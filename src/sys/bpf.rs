//! Which devices a v2 cgroup may use: a program for the kernel's own machine, assembled here and attached.
//!
//! Source: linux/bpf.h (`struct bpf_cgroup_dev_ctx`, `union bpf_attr`) and the kernel's
//! Documentation/admin-guide/cgroup-v2.rst, "Device controller". The program looks at the access asked for and
//! answers 1 (allowed) or 0; the first rule that fits decides, and none fitting means no.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One rule: an access that fits is answered with `allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Allowed or refused.
    pub allow: bool,
    /// `c` or `b`; `None` for both.
    pub kind: Option<u8>,
    /// Major number; `None` for all.
    pub major: Option<u32>,
    /// Minor number; `None` for all.
    pub minor: Option<u32>,
    /// Of mknod 1, read 2, write 4: those that the rule speaks of.
    pub access: u32,
}

/// One instruction of the kernel's machine: opcode, registers (source above destination), offset, immediate.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn op(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, immediate }
}

const LOAD_WORD: u8 = 0x61;
const MOVE_REGISTER: u8 = 0xbf;
const MOVE_IMMEDIATE: u8 = 0xb7;
const AND_IMMEDIATE: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_NOT_EQUAL_REGISTER: u8 = 0x5d;
const EXIT: u8 = 0x95;
const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

/// The program: r2 = kind, r3 = access, r4 = major, r5 = minor of what is asked for; then each rule in turn.
fn assemble(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        op(LOAD_WORD, 2, 1, 0, 0),
        op(AND_IMMEDIATE, 2, 0, 0, 0xffff),
        op(LOAD_WORD, 3, 1, 0, 0),
        op(SHIFT_RIGHT, 3, 0, 0, 16),
        op(LOAD_WORD, 4, 1, 4, 0),
        op(LOAD_WORD, 5, 1, 8, 0),
    ];
    for rule in rules {
        let mut tests = Vec::new();
        if let Some(kind) = rule.kind {
            tests.push(op(JUMP_NOT_EQUAL, 2, 0, 0, if kind == b'b' { BLOCK } else { CHARACTER }));
        }
        if rule.access & 7 != 7 {
            // The rule fits if nothing is asked for beyond what it speaks of.
            tests.push(op(MOVE_REGISTER, 1, 3, 0, 0));
            tests.push(op(AND_IMMEDIATE, 1, 0, 0, rule.access as i32));
            tests.push(op(JUMP_NOT_EQUAL_REGISTER, 1, 3, 0, 0));
        }
        for (register, number) in [(4, rule.major), (5, rule.minor)] {
            if let Some(number) = number {
                tests.push(op(JUMP_NOT_EQUAL, register, 0, 0, number as i32));
            }
        }
        if tests.is_empty() {
            // It fits everything: what came after could never run, and the kernel refuses such programs.
            program.extend([op(MOVE_IMMEDIATE, 0, 0, 0, i32::from(rule.allow)), op(EXIT, 0, 0, 0, 0)]);
            return program;
        }
        let end = tests.len() + 2;
        for (at, test) in tests.iter_mut().enumerate() {
            if matches!(test.code, JUMP_NOT_EQUAL | JUMP_NOT_EQUAL_REGISTER) {
                test.offset = (end - at - 1) as i16;
            }
        }
        program.extend(tests);
        program.push(op(MOVE_IMMEDIATE, 0, 0, 0, i32::from(rule.allow)));
        program.push(op(EXIT, 0, 0, 0, 0));
    }
    program.push(op(MOVE_IMMEDIATE, 0, 0, 0, 0));
    program.push(op(EXIT, 0, 0, 0, 0));
    program
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;

/// The head of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<i32> {
    // SAFETY: `attributes` is the head of a bpf_attr of the size given; the kernel takes the rest for zero. What it
    // points to outlives the call.
    match unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value as i32),
    }
}

/// Lets the processes of a v2 cgroup use the devices that `rules` allow, and no others. It lasts as long as the cgroup.
///
/// # Errors
/// The kernel's: EPERM without CAP_BPF or CAP_SYS_ADMIN, EINVAL or ENOSYS where it was built without.
pub fn allow_devices(cgroup: BorrowedFd<'_>, rules: &[Rule]) -> io::Result<()> {
    let program = assemble(rules);
    let license = c"Apache-2.0";
    let load = Load {
        kind: TYPE_CGROUP_DEVICE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..Load::default()
    };
    let fd = bpf(PROG_LOAD, &load)?;
    // SAFETY: the kernel gave a new descriptor that nobody else owns.
    let loaded = unsafe { OwnedFd::from_raw_fd(fd) };
    let attach = Attach { target: cgroup.as_raw_fd() as u32, program: loaded.as_raw_fd() as u32, kind: ATTACH_CGROUP_DEVICE, flags: 0 };
    bpf(PROG_ATTACH, &attach).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's machine for the handful of instructions used here.
    fn answer(program: &[Instruction], kind: u32, access: u32, major: u32, minor: u32) -> u64 {
        let mut registers = [0u64; 11];
        let context = [access << 16 | kind, major, minor];
        let mut at = 0usize;
        loop {
            let Instruction { code, registers: both, offset, immediate } = program[at];
            let (to, from) = ((both & 15) as usize, (both >> 4) as usize);
            at += 1;
            match code {
                LOAD_WORD => registers[to] = u64::from(context[offset as usize / 4]),
                MOVE_REGISTER => registers[to] = registers[from],
                MOVE_IMMEDIATE => registers[to] = immediate as u64,
                AND_IMMEDIATE => registers[to] = u64::from(registers[to] as u32 & immediate as u32),
                SHIFT_RIGHT => registers[to] = u64::from(registers[to] as u32 >> immediate),
                JUMP_NOT_EQUAL if registers[to] != immediate as u64 => at = (at as i64 + i64::from(offset)) as usize,
                JUMP_NOT_EQUAL_REGISTER if registers[to] != registers[from] => at = (at as i64 + i64::from(offset)) as usize,
                JUMP_NOT_EQUAL | JUMP_NOT_EQUAL_REGISTER => {}
                EXIT => return registers[0],
                other => panic!("{other:#x}"),
            }
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = [
            Rule { allow: true, kind: Some(b'c'), major: Some(1), minor: Some(3), access: 6 },
            Rule { allow: false, kind: Some(b'c'), major: Some(1), minor: None, access: 7 },
            Rule { allow: true, kind: None, major: None, minor: None, access: 1 },
        ];
        let program = assemble(&rules);
        assert_eq!(answer(&program, 2, 2, 1, 3), 1, "read of 1:3");
        assert_eq!(answer(&program, 2, 6, 1, 3), 1, "read and write of 1:3");
        assert_eq!(answer(&program, 2, 1, 1, 3), 0, "mknod of 1:3 is beyond the first rule, the second refuses");
        assert_eq!(answer(&program, 2, 1, 8, 0), 1, "mknod of anything else");
        assert_eq!(answer(&program, 1, 2, 8, 0), 0, "read of a disk fits nothing");
        let all = Rule { allow: true, kind: None, major: None, minor: None, access: 7 };
        assert_eq!(assemble(&[all, rules[0]]).len(), 8, "nothing stands behind a rule that fits everything");
    }
}
