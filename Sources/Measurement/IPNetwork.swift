// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An IPv4 or IPv6 address with the number of leading bits that count.
public struct IPNetwork: Sendable, Equatable, CustomStringConvertible {
    public let isIPv6: Bool
    /// Network byte order, masked; IPv4 in the first word.
    public let address: [UInt32]
    /// Network byte order.
    public let mask: [UInt32]
    public let description: String

    /// Parses "10.0.0.1", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32".
    ///
    /// - Throws: `ParseError` with the reason.
    public init(_ text: String) throws(ParseError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let host = String(parts[0])
        var words = [UInt32](repeating: 0, count: 4)
        let isIPv6 = host.contains(":")
        let parsed = words.withUnsafeMutableBytes { inet_pton(isIPv6 ? AF_INET6 : AF_INET, host, $0.baseAddress) }
        guard parsed == 1 else { throw ParseError("not an IPv4 or IPv6 address: '\(text)'") }
        let width = isIPv6 ? 128 : 32
        var length = width
        if parts.count == 2 {
            guard let given = parseDigits(parts[1], as: Int.self), (0...width).contains(given) else {
                throw ParseError("prefix length must be 0 to \(width): '\(text)'")
            }
            length = given
        }
        mask = (0..<4).map { word in
            let bits = min(max(length - word * 32, 0), 32)
            return bits == 0 ? 0 : (UInt32.max << UInt32(32 - bits)).bigEndian
        }
        address = zip(words, mask).map { $0 & $1 }
        self.isIPv6 = isIPv6
        description = text
    }
}

/// A number of digits alone: Swift's own initialisers take a sign as well.
public func parseDigits<Number: FixedWidthInteger>(
    _ text: some StringProtocol, as: Number.Type, radix: Int = 10
) -> Number? {
    text.utf8.first == 0x2b || text.utf8.first == 0x2d ? nil : Number(text, radix: radix)
}

/// Why a value on the command line is no good, as part of a sentence.
public struct ParseError: Error, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
