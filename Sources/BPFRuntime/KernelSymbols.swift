// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The kernel's functions by address and by name, modules included (/proc/kallsyms).
public struct KernelSymbols: Sendable {
    /// A place in the kernel's code.
    public struct Location: Sendable, Equatable {
        public let function: String
        /// Bytes from the function's start.
        public let offset: UInt64
        /// Nil for the kernel itself.
        public let module: String?
    }

    private var addresses: [UInt64] = []
    private var nameStarts: [UInt32] = []
    private var moduleOf: [UInt16] = []
    private var names: [UInt8] = []
    private var modules: [String] = []
    /// False when the kernel shows addresses as zero (kernel.kptr_restrict, or no CAP_SYSLOG).
    public private(set) var hasAddresses = false

    /// Reads the running kernel's symbols.
    ///
    /// - Throws: `RuntimeError` when the file cannot be read.
    public init(path: String = "/proc/kallsyms") throws(RuntimeError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw RuntimeError(.unsupported, "\(path): \(errorText(Int(errno)))") }
        defer { close(file) }
        // Address space, not memory: room for any kernel, so that nothing is copied to grow.
        addresses.reserveCapacity(1 << 18)
        nameStarts.reserveCapacity(1 << 18)
        moduleOf.reserveCapacity(1 << 18)
        names.reserveCapacity(1 << 23)
        let size = 1 << 16
        var chunk = [UInt8](repeating: 0, count: size)
        var kept = 0
        while true {
            let count = chunk.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + kept }, size - kept) }
            guard count > 0 else { break }
            let end = kept + count
            var line = 0
            chunk.withUnsafeBufferPointer { bytes in
                while let newline = bytes[line..<end].firstIndex(of: 0x0a) {
                    add(UnsafeBufferPointer(rebasing: bytes[line..<newline]))
                    line = newline + 1
                }
            }
            kept = end - line
            if line > 0 && kept > 0 { chunk.withUnsafeMutableBytes { $0.copyBytes(from: Array($0[line..<end])) } }
            if kept == size { kept = 0 }
        }
        sortIfNeeded()
    }

    /// Whether the kernel shows this process its addresses, by its first symbols alone.
    ///
    /// The very first may be zero in any case: kernels before 6.15 start with absolute per-CPU symbols.
    public static func areVisible(path: String = "/proc/kallsyms") -> Bool {
        guard let start = readKernelFile(path, limit: 1 << 16) else { return false }
        return start.split(separator: "\n").contains { line in
            let words = line.split(separator: " ", maxSplits: 2)
            return words.count == 3 && "tTwW".contains(words[1]) && words[0].contains { $0 != "0" }
        }
    }

    /// One line: "ffffffff81000000 T name\t[module]".
    private mutating func add(_ line: UnsafeBufferPointer<UInt8>) {
        var address: UInt64 = 0
        var at = 0
        while at < line.count, line[at] != 0x20 {
            let byte = line[at]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return
            }
            address = address << 4 | UInt64(digit)
            at += 1
        }
        guard at + 3 < line.count else { return }
        let kind = line[at + 1]
        // Text symbols: local, global, weak.
        guard kind == 0x74 || kind == 0x54 || kind == 0x77 || kind == 0x57 else { return }
        let start = at + 3
        var end = start
        while end < line.count, line[end] != 0x09, line[end] != 0x20 { end += 1 }
        // The padding before a function (CONFIG_PREFIX_SYMBOLS, 6.2 and later): as many again, and no code.
        guard !line[start..<end].starts(with: "__pfx_".utf8) else { return }
        var module: UInt16 = 0
        if end < line.count, let open = line[end...].firstIndex(of: 0x5b),
            let close = line[open...].firstIndex(of: 0x5d)
        {
            let name = UnsafeBufferPointer(rebasing: line[(open + 1)..<close])
            if modules.last.map({ !$0.utf8.elementsEqual(name) }) ?? true {
                modules.append(String(decoding: name, as: UTF8.self))
            }
            module = UInt16(truncatingIfNeeded: modules.count)
        }
        if address != 0 { hasAddresses = true }
        addresses.append(address)
        nameStarts.append(UInt32(names.count))
        moduleOf.append(module)
        names.append(contentsOf: line[start..<end])
        names.append(0)
    }

    /// The file lists the kernel, then its modules, then generated code, each in an order of its own.
    private mutating func sortIfNeeded() {
        guard hasAddresses, zip(addresses, addresses.dropFirst()).contains(where: { $0 > $1 }) else { return }
        let order = addresses.indices.sorted { (addresses[$0], $0) < (addresses[$1], $1) }
        let (oldAddresses, oldStarts, oldModules) = (addresses, nameStarts, moduleOf)
        for (new, old) in order.enumerated() {
            addresses[new] = oldAddresses[old]
            nameStarts[new] = oldStarts[old]
            moduleOf[new] = oldModules[old]
        }
    }

    /// Functions known.
    public var count: Int { addresses.count }

    private func nameBytes(_ index: Int) -> ArraySlice<UInt8> {
        let start = Int(nameStarts[index])
        let end = names[start...].firstIndex(of: 0) ?? names.endIndex
        return names[start..<end]
    }

    private func name(_ index: Int) -> String { String(decoding: nameBytes(index), as: UTF8.self) }

    /// The function around a code address; nil outside of all functions known.
    ///
    /// A function's own address counts as its first byte: some callers pass that as their location
    /// (net_tx_action to skb:kfree_skb).
    public func locate(_ address: UInt64) -> Location? {
        guard hasAddresses, address > 0 else { return nil }
        var low = 0
        var high = addresses.count
        while low < high {
            let middle = (low + high) / 2
            if addresses[middle] <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        // Of several names for one address, the first.
        var index = low - 1
        while index > 0 && addresses[index - 1] == addresses[index] { index -= 1 }
        // Nothing is that long: an address in a hole between modules, or in generated code.
        guard address - addresses[index] < 1 << 20 else { return nil }
        return Location(
            function: name(index), offset: address - addresses[index],
            module: moduleOf[index] == 0 ? nil : modules[Int(moduleOf[index]) - 1])
    }

    /// The code of a function: its own, and every part and clone that the compiler split off
    /// (`.isra.N`, `.constprop.N`, `.part.N`, `.cold`).
    public func ranges(ofFunction function: String) -> [Range<UInt64>] {
        guard hasAddresses else { return [] }
        let wanted = Array(function.utf8)
        var found: [Range<UInt64>] = []
        for index in addresses.indices where matches(index, wanted) {
            var next = index + 1
            while next < addresses.count && addresses[next] == addresses[index] { next += 1 }
            let limit = addresses[index] + (1 << 20)
            let end = next < addresses.count ? min(addresses[next], limit) : limit
            found.append(addresses[index]..<end)
        }
        return found
    }

    private func matches(_ index: Int, _ wanted: [UInt8]) -> Bool {
        let start = Int(nameStarts[index])
        guard start + wanted.count < names.count else { return false }
        for at in wanted.indices where names[start + at] != wanted[at] { return false }
        let after = names[start + wanted.count]
        return after == 0 || after == 0x2e  // "."
    }

    /// The name to probe for a function: itself, else the shortest clone (`.isra.N`, `.constprop.N`, `.N`);
    /// never a `.part` or `.cold`, which are not entered as the function is.
    public func probeTarget(_ function: String) -> String? {
        let wanted = Array(function.utf8)
        var best: String?
        for index in addresses.indices where matches(index, wanted) {
            let name = name(index)
            if name == function { return name }
            let suffixes = name.dropFirst(function.count).split(separator: ".")
            guard suffixes.allSatisfy({ $0 == "isra" || $0 == "constprop" || $0.allSatisfy(\.isNumber) }) else {
                continue
            }
            if best.map({ name.utf8.count < $0.utf8.count }) ?? true { best = name }
        }
        return best
    }
}
