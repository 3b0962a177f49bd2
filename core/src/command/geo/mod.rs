//! The geo family: places as the scores of a sorted set. The arithmetic is `value::geo`'s.

mod add;
mod read;
mod search;
mod words;

use super::table::{Command, Deprecation, Group, flag, key_use};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "geoadd",
        summary: "Adds one or more members to a geospatial index. The key is created if it doesn't \
                  exist.",
        since: "3.2.0",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the \
                     sorted set.",
        group: Group::Geo,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key condition=[NX | XX]@6.2.0 [change=CH]@6.2.0 data=(longitude:double \
                  latitude:double member)...",
        keys: &[key_use::RW | key_use::UPDATE],
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        handler: add::geoadd,
        ..Command::DEFAULT
    },
    Command {
        name: "geodist",
        summary: "Returns the distance between two members of a geospatial index.",
        since: "3.2.0",
        complexity: "O(log(N))",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key member1 member2 unit=[M | KM | FT | MI]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::geodist,
        ..Command::DEFAULT
    },
    Command {
        name: "geohash",
        summary: "Returns members from a geospatial index as geohash strings.",
        since: "3.2.0",
        complexity: "O(log(N)) for each member requested, where N is the number of elements in the \
                     sorted set.",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key [member...]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::geohash,
        ..Command::DEFAULT
    },
    Command {
        name: "geopos",
        summary: "Returns the longitude and latitude of members from a geospatial index.",
        since: "3.2.0",
        complexity: "O(N) where N is the number of members requested.",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key [member...]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::geopos,
        ..Command::DEFAULT
    },
    Command {
        name: "georadius",
        summary: "Queries a geospatial index for members within a distance from a coordinate, \
                  optionally stores the result.",
        since: "3.2.0",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the \
                     circular area delimited by center and radius and M is the number of items \
                     inside the index.",
        group: Group::Geo,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key longitude:double latitude:double radius:double unit=(M | KM | FT | MI) \
                  [WITHCOORD] [WITHDIST] [WITHHASH] [count-block=(COUNT count:integer \
                  [ANY]@6.2.0)] order=[ASC | DESC] store=[STORE storekey:key | STOREDIST \
                  storedistkey:key]",
        keys: &[
            key_use::RO | key_use::ACCESS,
            key_use::OW | key_use::UPDATE,
            key_use::OW | key_use::UPDATE,
        ],
        find_keys: Some(search::keys_of_radius),
        history: &[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        }),
        handler: search::georadius,
        ..Command::DEFAULT
    },
    Command {
        name: "georadius_ro",
        summary: "Returns members from a geospatial index that are within a distance from a \
                  coordinate.",
        since: "3.2.10",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the \
                     circular area delimited by center and radius and M is the number of items \
                     inside the index.",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key longitude:double latitude:double radius:double unit=(M | KM | FT | MI) \
                  [WITHCOORD] [WITHDIST] [WITHHASH] [count-block=(COUNT count:integer \
                  [ANY]@6.2.0)] order=[ASC | DESC]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`GEOSEARCH` with the `BYRADIUS` argument",
        }),
        handler: search::georadius,
        ..Command::DEFAULT
    },
    Command {
        name: "georadiusbymember",
        summary: "Queries a geospatial index for members within a distance from a member, \
                  optionally stores the result.",
        since: "3.2.0",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the \
                     circular area delimited by center and radius and M is the number of items \
                     inside the index.",
        group: Group::Geo,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "key member radius:double unit=(M | KM | FT | MI) [WITHCOORD] [WITHDIST] \
                  [WITHHASH] [count-block=(COUNT count:integer [ANY])] order=[ASC | DESC] \
                  store=[STORE storekey:key | STOREDIST storedistkey:key]",
        keys: &[
            key_use::RO | key_use::ACCESS,
            key_use::OW | key_use::UPDATE,
            key_use::OW | key_use::UPDATE,
        ],
        find_keys: Some(search::keys_of_radius),
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        }),
        handler: search::georadiusbymember,
        ..Command::DEFAULT
    },
    Command {
        name: "georadiusbymember_ro",
        summary: "Returns members from a geospatial index that are within a distance from a \
                  member.",
        since: "3.2.10",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the \
                     circular area delimited by center and radius and M is the number of items \
                     inside the index.",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key member radius:double unit=(M | KM | FT | MI) [WITHCOORD] [WITHDIST] \
                  [WITHHASH] [count-block=(COUNT count:integer [ANY])] order=[ASC | DESC]",
        keys: &[key_use::RO | key_use::ACCESS],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        }),
        handler: search::georadiusbymember,
        ..Command::DEFAULT
    },
    Command {
        name: "geosearch",
        summary: "Queries a geospatial index for members inside an area of a box or a circle.",
        since: "6.2.0",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding \
                     box area around the shape provided as the filter and M is the number of items \
                     inside the shape",
        group: Group::Geo,
        flags: flag::READONLY,
        grammar: "key from=(FROMMEMBER member | FROMLONLAT fromlonlat=(longitude:double \
                  latitude:double)) by=(circle=(BYRADIUS radius:double unit=(M | KM | FT | MI)) | \
                  box=(BYBOX width:double height:double unit=(M | KM | FT | MI))) order=[ASC | \
                  DESC] [count-block=(COUNT count:integer [ANY])] [WITHCOORD] [WITHDIST] \
                  [WITHHASH]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        handler: search::geosearch,
        ..Command::DEFAULT
    },
    Command {
        name: "geosearchstore",
        summary: "Queries a geospatial index for members inside an area of a box or a circle, \
                  optionally stores the result.",
        since: "6.2.0",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding \
                     box area around the shape provided as the filter and M is the number of items \
                     inside the shape",
        group: Group::Geo,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "destination:key source:key from=(FROMMEMBER member | FROMLONLAT \
                  fromlonlat=(longitude:double latitude:double)) by=(circle=(BYRADIUS \
                  radius:double unit=(M | KM | FT | MI)) | box=(BYBOX width:double height:double \
                  unit=(M | KM | FT | MI))) order=[ASC | DESC] [count-block=(COUNT count:integer \
                  [ANY])] [STOREDIST]",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        handler: search::geosearchstore,
        ..Command::DEFAULT
    },
];
