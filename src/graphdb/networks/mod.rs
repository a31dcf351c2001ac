//! Networks, the places that running containers have on them, and the ports they have published.
//!
//! A place is a lease: its numbers are unique on its network, it is taken in one transaction with all others of its container
//! and let go in the transaction that tells the container's end.

use super::{Error, GraphDb, Result, rows};
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRow {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Unique.
    pub name: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// The whole of it.
    pub json: String,
}

/// Numbers to choose from on a network: addresses as distances from its first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The first that may be chosen.
    pub first: i64,
    /// The last.
    pub last: i64,
    /// Those among them that are not to be given.
    pub kept: Vec<i64>,
    /// This one and no other.
    pub wanted: Option<i64>,
}

/// A wish for a place on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// On which network.
    pub network: String,
    /// From where each number is to be; none of a family without a pool.
    pub pools: [Option<Pool>; 2],
    /// What else belongs to the place.
    pub json: String,
    /// Names beside the container's own.
    pub aliases: Vec<String>,
}

/// A place on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRow {
    /// Whose.
    pub container: String,
    /// On which network.
    pub network: String,
    /// In the order in which they were taken; unique for a container.
    pub position: i64,
    /// Its number of each family.
    pub numbers: [Option<i64>; 2],
    /// What else belongs to it.
    pub json: String,
    /// Names beside the container's own.
    pub aliases: Vec<String>,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRow {
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The address on this machine.
    pub address: String,
    /// The port on this machine.
    pub port: u16,
    /// Whose.
    pub container: String,
    /// The port inside.
    pub inside: u16,
}

fn read_network(row: &Row<'_>) -> rusqlite::Result<NetworkRow> {
    Ok(NetworkRow { id: row.get(0)?, name: row.get(1)?, created: row.get(2)?, json: row.get(3)? })
}

const ENDPOINTS: &str = "SELECT container, network, position, v4, v6, json, aliases FROM endpoints";

fn read_endpoint(row: &Row<'_>) -> rusqlite::Result<EndpointRow> {
    let aliases: String = row.get(6)?;
    Ok(EndpointRow {
        container: row.get(0)?,
        network: row.get(1)?,
        position: row.get(2)?,
        numbers: [row.get(3)?, row.get(4)?],
        json: row.get(5)?,
        aliases: aliases.split_whitespace().map(str::to_owned).collect(),
    })
}

const PORTS: &str = "SELECT protocol, address, port, container, inside FROM ports";

fn read_port(row: &Row<'_>) -> rusqlite::Result<PortRow> {
    Ok(PortRow { protocol: row.get(0)?, address: row.get(1)?, port: row.get(2)?, container: row.get(3)?, inside: row.get(4)? })
}

/// Lets go of all places and ports of a container.
pub(super) fn release(tx: &Transaction<'_>, container: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM endpoints WHERE container = ?1")?.execute([container])?;
    tx.prepare_cached("DELETE FROM ports WHERE container = ?1")?.execute([container])?;
    Ok(())
}

/// The number that a claim gets: the wanted one, or the next free one after the last that was given, so that an address that
/// was just let go is not another's at once.
fn choose(tx: &Transaction<'_>, network: &str, family: usize, pool: &Pool) -> Result<i64> {
    let column = ["v4", "v6"][family];
    if let Some(wanted) = pool.wanted {
        let holder = tx.prepare_cached(&format!("SELECT container FROM endpoints WHERE network = ?1 AND {column} = ?2"))?;
        let mut holder = holder;
        return match holder.query_row(params![network, wanted], |r| r.get::<_, String>(0)).optional()? {
            Some(by) => Err(Error::Taken { name: "address".to_owned(), by: format!("container {}", &by[..by.len().min(12)]) }),
            None => Ok(wanted),
        };
    }
    let cursor: i64 = tx.prepare_cached(&format!("SELECT last_{column} FROM networks WHERE id = ?1"))?.query_row([network], |r| r.get(0))?;
    let start = if (pool.first..pool.last).contains(&cursor) { cursor + 1 } else { pool.first };
    let found = match gap(tx, network, column, start, pool.last, &pool.kept)? {
        None if start > pool.first => gap(tx, network, column, pool.first, start - 1, &pool.kept)?,
        other => other,
    };
    let found = found.ok_or_else(|| Error::Conflict("all addresses are given".to_owned()))?;
    tx.prepare_cached(&format!("UPDATE networks SET last_{column} = ?2 WHERE id = ?1"))?.execute(params![network, found])?;
    Ok(found)
}

/// The first number from `first` to `last` that nobody has.
fn gap(tx: &Transaction<'_>, network: &str, column: &str, first: i64, last: i64, kept: &[i64]) -> Result<Option<i64>> {
    let mut statement = tx.prepare_cached(&format!("SELECT {column} FROM endpoints WHERE network = ?1 AND {column} BETWEEN ?2 AND ?3 ORDER BY {column}"))?;
    let mut taken = statement.query(params![network, first, last])?;
    let mut next = first;
    loop {
        let given: Option<i64> = taken.next()?.map(|row| row.get(0)).transpose()?;
        while next <= last && given.is_none_or(|given| next < given) {
            if !kept.contains(&next) {
                return Ok(Some(next));
            }
            next += 1;
        }
        match given {
            Some(given) => next = given + 1,
            None => return Ok(None),
        }
    }
}

impl GraphDb {
    /// Enters a network, provided that `agrees` with all that are there.
    ///
    /// # Errors
    /// [`Error::Taken`] for its name; what `agrees` says.
    pub fn insert_network(&self, row: &NetworkRow, agrees: impl FnOnce(&[NetworkRow]) -> std::result::Result<(), String>) -> Result<()> {
        self.write(|tx| {
            let others = rows(tx, "SELECT id, name, created, json FROM networks", [], read_network)?;
            if let Some(other) = others.iter().find(|other| other.name == row.name) {
                return Err(Error::Taken { name: row.name.clone(), by: format!("network {}", &other.id[..other.id.len().min(12)]) });
            }
            agrees(&others).map_err(Error::Conflict)?;
            tx.execute("INSERT INTO networks (id, name, created, json) VALUES (?1, ?2, ?3, ?4)", params![row.id, row.name, row.created, row.json])?;
            Ok(())
        })
    }

    /// Writes a network's document anew, provided that nobody is on it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if somebody is, [`Error::Missing`].
    pub fn set_network(&self, id: &str, json: &str) -> Result<()> {
        self.write(|tx| {
            unused(tx, id)?;
            match tx.execute("UPDATE networks SET json = ?2 WHERE id = ?1", [id, json])? {
                0 => Err(Error::Missing(format!("network {id}"))),
                _ => Ok(()),
            }
        })
    }

    /// All networks, by name.
    pub fn networks(&self) -> Result<Vec<NetworkRow>> {
        rows(&self.connection(), "SELECT id, name, created, json FROM networks ORDER BY name", [], read_network)
    }

    /// The networks that `text` may mean: the one so named, else those whose identity begins with it (at most two).
    pub fn networks_like(&self, text: &str) -> Result<Vec<NetworkRow>> {
        const SELECT: &str = "SELECT id, name, created, json FROM networks";
        let connection = self.connection();
        let exact = rows(&connection, &format!("{SELECT} WHERE name = ?1"), [text], read_network)?;
        if !exact.is_empty() || text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(exact);
        }
        rows(&connection, &format!("{SELECT} WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"), [text.to_ascii_lowercase()], read_network)
    }

    /// Takes a network out, provided that nobody is on it.
    ///
    /// # Errors
    /// [`Error::Conflict`] naming who is, [`Error::Missing`].
    pub fn delete_network(&self, id: &str) -> Result<()> {
        self.write(|tx| {
            unused(tx, id)?;
            match tx.execute("DELETE FROM networks WHERE id = ?1", [id])? {
                0 => Err(Error::Missing(format!("network {id}"))),
                _ => Ok(()),
            }
        })
    }

    /// Takes out a network that is damaged, whoever is on it; their places lead nowhere then.
    pub fn drop_network(&self, id: &str) -> Result<()> {
        self.write(|tx| Ok(tx.execute("DELETE FROM networks WHERE id = ?1", [id]).map(|_| ())?))
    }

    /// Gives a container all the places it claims and enters its published ports, or nothing of it. What it had is let go.
    ///
    /// # Errors
    /// [`Error::Missing`] if the container or a network went away, [`Error::Taken`] for an address that was wanted,
    /// [`Error::Conflict`] if a network has none left.
    pub fn claim(&self, container: &str, claims: &[Claim], ports: &[PortRow]) -> Result<Vec<EndpointRow>> {
        self.write(|tx| {
            if !tx.prepare_cached("SELECT 1 FROM containers WHERE id = ?1")?.exists([container])? {
                return Err(Error::Missing(format!("container {container}")));
            }
            release(tx, container)?;
            let places = claims.iter().enumerate().map(|(at, claim)| take(tx, container, at as i64, claim)).collect::<Result<Vec<_>>>()?;
            publish(tx, container, ports)?;
            Ok(places)
        })
    }

    /// Gives a container that is alive one place more.
    ///
    /// # Errors
    /// As for [`GraphDb::claim`]; [`Error::Conflict`] if it is on that network already, or not alive in the status `from`.
    pub fn claim_more(&self, container: &str, alive: &[&str], claim: &Claim) -> Result<EndpointRow> {
        self.write(|tx| {
            expect(tx, container, alive)?;
            if tx.prepare_cached("SELECT 1 FROM endpoints WHERE container = ?1 AND network = ?2")?.exists([container, &claim.network])? {
                return Err(Error::Conflict("it is on that network already".to_owned()));
            }
            let sql = "SELECT coalesce(max(position), -1) + 1 FROM endpoints WHERE container = ?1";
            let position = tx.prepare_cached(sql)?.query_row([container], |r| r.get(0))?;
            take(tx, container, position, claim)
        })
    }

    /// Lets go of a container's place on one network; one that is not there is no error.
    pub fn release_place(&self, container: &str, network: &str) -> Result<()> {
        self.write(|tx| {
            tx.execute("DELETE FROM endpoints WHERE container = ?1 AND network = ?2", [container, network])?;
            Ok(())
        })
    }

    /// Lets go of all places and ports of a container; one that has none costs no writing.
    pub fn release(&self, container: &str) -> Result<()> {
        if self.endpoints_of(container)?.is_empty() && self.ports_of(container)?.is_empty() {
            return Ok(());
        }
        self.write(|tx| release(tx, container))
    }

    /// Replaces the published ports of a container that is alive.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not, [`Error::Taken`] for a port.
    pub fn set_ports(&self, container: &str, alive: &[&str], ports: &[PortRow]) -> Result<()> {
        self.write(|tx| {
            expect(tx, container, alive)?;
            tx.execute("DELETE FROM ports WHERE container = ?1", [container])?;
            publish(tx, container, ports)
        })
    }

    /// The places on a network, in no order.
    pub fn endpoints_on(&self, network: &str) -> Result<Vec<EndpointRow>> {
        rows(&self.connection(), &format!("{ENDPOINTS} WHERE network = ?1"), [network], read_endpoint)
    }

    /// A container's places, in the order in which they were taken.
    pub fn endpoints_of(&self, container: &str) -> Result<Vec<EndpointRow>> {
        rows(&self.connection(), &format!("{ENDPOINTS} WHERE container = ?1 ORDER BY position"), [container], read_endpoint)
    }

    /// The containers that have places or ports though they are not alive: being started, or left so by a crash.
    pub fn stale_berths(&self) -> Result<Vec<String>> {
        const SQL: &str = "SELECT c.id FROM containers c WHERE c.status NOT IN ('running', 'paused', 'restarting')
            AND c.id IN (SELECT container FROM endpoints UNION SELECT container FROM ports)";
        rows(&self.connection(), SQL, [], |row| row.get(0))
    }

    /// All places.
    pub fn endpoints(&self) -> Result<Vec<EndpointRow>> {
        rows(&self.connection(), &format!("{ENDPOINTS} ORDER BY container, position"), [], read_endpoint)
    }

    /// A container's published ports.
    pub fn ports_of(&self, container: &str) -> Result<Vec<PortRow>> {
        rows(&self.connection(), &format!("{PORTS} WHERE container = ?1 ORDER BY protocol, inside, port, address"), [container], read_port)
    }

    /// All published ports.
    pub fn ports(&self) -> Result<Vec<PortRow>> {
        rows(&self.connection(), &format!("{PORTS} ORDER BY protocol, port, address"), [], read_port)
    }

    /// The containers (identity, numbers of both families) of a network that go by a name: their own, their short identity or
    /// an alias, upper or lower case.
    pub fn named_on(&self, network: &str, name: &str) -> Result<Vec<[Option<i64>; 2]>> {
        const SQL: &str = "SELECT e.v4, e.v6 FROM endpoints e JOIN containers c ON c.id = e.container WHERE e.network = ?1
            AND (c.name = ?2 COLLATE NOCASE OR substr(c.id, 1, 12) = lower(?2) OR instr(' ' || lower(e.aliases) || ' ', ' ' || lower(?2) || ' ') > 0)";
        if name.contains(char::is_whitespace) {
            return Ok(Vec::new());
        }
        rows(&self.connection(), SQL, [network, name], |row| Ok([row.get(0)?, row.get(1)?]))
    }
}

fn unused(tx: &Transaction<'_>, network: &str) -> Result<()> {
    let sql = "SELECT c.name, substr(c.id, 1, 12) FROM endpoints e JOIN containers c ON c.id = e.container WHERE e.network = ?1 ORDER BY c.name LIMIT 20";
    let named = |row: &Row<'_>| Ok(format!("name:{:?} id:{:?}", row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let who = rows(tx, sql, [network], named)?;
    if who.is_empty() { Ok(()) } else { Err(Error::Conflict(format!("has active endpoints ({})", who.join(", ")))) }
}

fn expect(tx: &Transaction<'_>, container: &str, alive: &[&str]) -> Result<()> {
    let sql = "SELECT status FROM containers WHERE id = ?1";
    let status: Option<String> = tx.prepare_cached(sql)?.query_row([container], |r| r.get(0)).optional()?;
    match status {
        None => Err(Error::Missing(format!("container {container}"))),
        Some(status) if alive.contains(&status.as_str()) => Ok(()),
        Some(status) => Err(Error::Conflict(format!("the container is {status} by now"))),
    }
}

fn take(tx: &Transaction<'_>, container: &str, position: i64, claim: &Claim) -> Result<EndpointRow> {
    if !tx.prepare_cached("SELECT 1 FROM networks WHERE id = ?1")?.exists([&claim.network])? {
        return Err(Error::Missing(format!("network {}: it was removed meanwhile", &claim.network[..claim.network.len().min(12)])));
    }
    let mut numbers = [None, None];
    for (family, pool) in claim.pools.iter().enumerate() {
        numbers[family] = pool.as_ref().map(|pool| choose(tx, &claim.network, family, pool)).transpose()?;
    }
    tx.prepare_cached("INSERT INTO endpoints (container, network, position, v4, v6, json, aliases) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
        container,
        claim.network,
        position,
        numbers[0],
        numbers[1],
        claim.json,
        claim.aliases.join(" ")
    ])?;
    let (network, json, aliases) = (claim.network.clone(), claim.json.clone(), claim.aliases.clone());
    Ok(EndpointRow { container: container.to_owned(), network, position, numbers, json, aliases })
}

fn publish(tx: &Transaction<'_>, container: &str, ports: &[PortRow]) -> Result<()> {
    for port in ports {
        let sql = "SELECT c.name FROM ports p JOIN containers c ON c.id = p.container WHERE p.protocol = ?1 AND p.port = ?2 AND p.address = ?3";
        let holder = tx.prepare_cached(sql)?.query_row(params![port.protocol, port.port, port.address], |r| r.get::<_, String>(0)).optional()?;
        if let Some(by) = holder {
            return Err(Error::Taken { name: format!("{}:{}/{}", port.address, port.port, port.protocol), by: format!("container {by}") });
        }
        tx.prepare_cached("INSERT INTO ports (protocol, address, port, container, inside) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            port.protocol,
            port.address,
            port.port,
            container,
            port.inside
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
