// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes
import Glibc
import Measurement

/// The conditions, resolved against the running kernel.
struct DropKernel {
    var filter = drop_filter()
    /// Read when first needed: before load for a filter, else once the probes are in.
    private(set) var symbols: KernelSymbols?
    private(set) var reasons: DropReasons?
    private(set) var notes: [String] = []

    /// - Throws: `Failure` with status 64 for a reason or a function that this kernel does not have.
    init(_ options: DropOptions) throws {
        filter.packet = options.packets.filter
        if let number = options.type?.number {
            filter.packet.ether_type = number
            filter.packet.conditions |= UInt32(PACKET_FILTER_TYPE.rawValue)
        }
        if let vlanID = options.vlanID {
            filter.packet.vlan_id = vlanID
            filter.packet.conditions |= UInt32(PACKET_FILTER_VLAN.rawValue)
        }
        setInterfaces(options.interface)
        try setReasons(options.reason)
        try setLocations(options.location)
    }

    /// By name, in the kernel: a device that is made anew under its name is followed without a gap.
    private mutating func setInterfaces(_ names: [String]) {
        filter.interface_count = UInt32(names.count)
        withUnsafeMutableBytes(of: &filter.interfaces) { bytes in
            for (index, name) in names.enumerated() {
                for (at, byte) in name.utf8.enumerated() { bytes[index * Int(DROP_NAME_LENGTH) + at] = byte }
            }
        }
        for name in names where if_nametoindex(name) == 0 {
            notes.append("no device \(name) in this network namespace now; drops on any of that name, elsewhere or later, are reported")
        }
    }

    private mutating func setReasons(_ names: [String]) throws {
        guard !names.isEmpty else { return }
        var reasons = DropReasons()
        var numbers: [UInt32] = []
        for name in names {
            if reasons.exist {
                guard let number = reasons.number(name) else {
                    throw Failure.usage("--reason: this kernel has no drop reason '\(name)'.")
                }
                numbers.append(number)
            } else {
                // Derived reasons are names of places.
                let places = derivedReasons.filter { $0.reason == name.uppercased() }
                guard !places.isEmpty else {
                    throw Failure.usage("--reason: this kernel gives no reasons, and none of the derived ones is '\(name)'.")
                }
                try addLocations(places.map(\.symbol), option: "--reason", mustExist: false)
            }
        }
        filter.reason_count = UInt32(numbers.count)
        store(numbers, in: &filter.reasons)
        self.reasons = reasons
    }

    private mutating func setLocations(_ functions: [String]) throws {
        try addLocations(functions, option: "--location", mustExist: true)
    }

    private var locationRanges: [Range<UInt64>] = []

    private mutating func addLocations(_ functions: [String], option: String, mustExist: Bool) throws {
        guard !functions.isEmpty else { return }
        let symbols = try loadSymbols()
        guard symbols.hasAddresses else {
            throw Failure(ExitStatus.notPermitted, "\(option): the kernel hides its addresses (kernel.kptr_restrict, or no CAP_SYSLOG)")
        }
        for function in functions {
            let found = symbols.ranges(ofFunction: function)
            if found.isEmpty && mustExist {
                throw Failure.usage("\(option): the running kernel has no function '\(function)'.")
            }
            locationRanges += found
        }
        guard locationRanges.count <= Int(DROP_LOCATIONS) else {
            throw Failure.usage("\(option): these are \(locationRanges.count) pieces of kernel code, at most \(DROP_LOCATIONS) are possible; name fewer.")
        }
        filter.location_count = UInt32(locationRanges.count)
        store(locationRanges.map { drop_range(start: $0.lowerBound, end: $0.upperBound) }, in: &filter.locations)
    }

    private func store<Tuple, Element>(_ values: [Element], in tuple: inout Tuple) {
        withUnsafeMutableBytes(of: &tuple) { bytes in
            values.withUnsafeBytes { bytes.copyMemory(from: $0) }
        }
    }

    /// The kernel's symbols, read once.
    mutating func loadSymbols() throws -> KernelSymbols {
        if let symbols { return symbols }
        let loaded = try KernelSymbols()
        symbols = loaded
        return loaded
    }

    /// The kernel's drop reasons, read once.
    mutating func loadReasons() -> DropReasons {
        if let reasons { return reasons }
        let loaded = DropReasons()
        reasons = loaded
        return loaded
    }
}
