//! Public IP addresses, by the special-purpose registries of IANA (RFC 6890 and its updates) and
//! two cloud platform addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are not public: (address, prefix length).
const REFUSED_V4: [(Ipv4Addr, u32); 19] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's platform address
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, instance metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24),  // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24),  // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(192, 175, 48, 0), 24),  // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

/// The only part of IPv6 that is global unicast. It excludes loopback, link-local, unique-local,
/// NAT64 and others.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks within it that are not public.
const REFUSED_V6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether `ip` is reachable from the internet. An IPv4-mapped IPv6 address is treated as the IPv4
/// address.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !REFUSED_V4.iter().any(|network| contains_v4(*network, ip)),
        IpAddr::V6(ip) => {
            contains_v6(GLOBAL_V6, ip)
                && !REFUSED_V6.iter().any(|network| contains_v6(*network, ip))
        }
    }
}

fn contains_v4((network, length): (Ipv4Addr, u32), ip: Ipv4Addr) -> bool {
    (network.to_bits() ^ ip.to_bits()).leading_zeros() >= length
}

fn contains_v6((network, length): (Ipv6Addr, u32), ip: Ipv6Addr) -> bool {
    (network.to_bits() ^ ip.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// First and last address of each rejected range. Their neighbours are public unless they are
    /// in another range.
    const RANGES_V4: [(&str, &str); 19] = [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.31.196.0", "192.31.196.255"),
        ("192.52.193.0", "192.52.193.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("192.175.48.0", "192.175.48.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "239.255.255.255"),
        ("240.0.0.0", "255.255.255.255"),
    ];

    /// The same for IPv6, in order and without gaps between adjacent ranges.
    const RANGES_V6: [(&str, &str); 7] = [
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ];

    fn v4(text: &str) -> u32 {
        text.parse::<Ipv4Addr>().expect(text).to_bits()
    }

    fn v6(text: &str) -> u128 {
        text.parse::<Ipv6Addr>().expect(text).to_bits()
    }

    /// The expected result, by ranges instead of prefixes.
    fn expected_v4(bits: u32) -> bool {
        !RANGES_V4
            .iter()
            .any(|(first, last)| (v4(first)..=v4(last)).contains(&bits))
    }

    fn expected_v6(bits: u128) -> bool {
        if bits >> 32 == 0xffff {
            return expected_v4(u32::try_from(bits & 0xffff_ffff).expect("32 bits"));
        }
        !RANGES_V6
            .iter()
            .any(|(first, last)| (v6(first)..=v6(last)).contains(&bits))
    }

    #[test]
    fn edges_of_every_range_are_exact() {
        for (first, last) in RANGES_V4 {
            for (bits, inside) in [
                (Some(v4(first)), true),
                (Some(v4(last)), true),
                (v4(first).checked_sub(1), false),
                (v4(last).checked_add(1), false),
            ] {
                let Some(bits) = bits else { continue };
                let ip = Ipv4Addr::from_bits(bits);
                assert_eq!(is_public(ip.into()), !inside && expected_v4(bits), "{ip}");
                assert_eq!(
                    is_public(ip.to_ipv6_mapped().into()),
                    is_public(ip.into()),
                    "mapped {ip}"
                );
            }
        }
        for (first, last) in RANGES_V6 {
            for (bits, inside) in [
                (Some(v6(first)), true),
                (Some(v6(last)), true),
                (v6(first).checked_sub(1), false),
                (v6(last).checked_add(1), false),
            ] {
                let Some(bits) = bits else { continue };
                let ip = Ipv6Addr::from_bits(bits);
                assert_eq!(is_public(ip.into()), !inside && expected_v6(bits), "{ip}");
            }
        }
    }

    #[test]
    fn well_known_addresses_are_not_public() {
        for ip in [
            "127.0.0.1",        // the Lambda runtime API
            "169.254.169.254",  // instance metadata
            "169.254.170.2",    // container credentials
            "fd00:ec2::254",    // instance metadata
            "::",               //
            "::1",              //
            "::127.0.0.1",      // IPv4-compatible
            "::8.8.8.8",        // IPv4-compatible
            "::ffff:0:8.8.8.8", // IPv4-translated (RFC 2765), not mapped
            "64:ff9b::8.8.8.8", // NAT64
            "64:ff9b:1::a00:1", // local NAT64
            "100::1",           // discard
            "2001::1",          // Teredo
            "2001:20::1",       // ORCHIDv2
            "2002:808:808::1",  // 6to4 of a public address
            "5f00::1",          // SRv6
            "fc00::1",          // unique-local
            "fe80::1",          // link-local
            "fec0::1",          // site-local
            "ff02::1",          // multicast
            "::ffff:10.0.0.1",  // mapped private
        ] {
            assert!(!is_public(ip.parse().expect(ip)), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(ip.parse().expect(ip)), "{ip}");
        }
    }

    proptest! {
        #[test]
        fn any_address_matches_the_ranges(v4: u32, v6: u128, global in 0x2000_u128..0x4000) {
            prop_assert_eq!(is_public(Ipv4Addr::from_bits(v4).into()), expected_v4(v4));
            prop_assert_eq!(is_public(Ipv6Addr::from_bits(v6).into()), expected_v6(v6));
            let near = (v6 >> 16) | (global << 112);
            prop_assert_eq!(is_public(Ipv6Addr::from_bits(near).into()), expected_v6(near));
            let mapped = 0xffff_0000_0000 | u128::from(v4);
            prop_assert_eq!(is_public(Ipv6Addr::from_bits(mapped).into()), expected_v4(v4));
        }

        #[test]
        fn addresses_near_an_edge_match_the_ranges(index in 0..RANGES_V4.len(), step in -300_i64..300) {
            let (first, last) = RANGES_V4[index];
            for edge in [first, last] {
                if let Ok(bits) = u32::try_from(i64::from(v4(edge)) + step) {
                    prop_assert_eq!(is_public(Ipv4Addr::from_bits(bits).into()), expected_v4(bits));
                }
            }
        }
    }
}
