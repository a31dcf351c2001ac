//! What packets are told, seen by real packets between network namespaces made for the test.

mod bed;

use bed::{Bed, Server};
use kapal::networkdriver::firewall::{self, Table};

#[test]
fn the_kernel_understands_what_was_meant() {
    let Some(bed) = Bed::new(false) else { return };
    let traffic = bed.traffic(&["0.0.0.0:8080 172.31.1.2:80/tcp", "127.0.0.1:53 172.31.2.2:53/udp", "[::]:8080 [fd00:1::2]:80/sctp"]);
    firewall::replace(&mut bed.machine.netlink(), "kapal", &traffic).unwrap();
    let rules = bed.machine.rules();
    eprintln!("{rules}");
    for chain in Table::of(&traffic).chains {
        for rule in chain.rules {
            assert!(rules.lines().any(|line| line.trim() == rule.to_string()), "{rule}\n{rules}");
        }
    }
}
