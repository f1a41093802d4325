// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import BPFTypes

/// Names of drop reasons as the running kernel has them (enum skb_drop_reason, 5.17 and later), those
/// that modules register for subsystems included (6.4 and later).
struct DropReasons {
    /// Bits of a reason that name the subsystem (include/net/dropreason.h: SKB_DROP_REASON_SUBSYS_SHIFT).
    private static let subsystemShift: UInt32 = 16
    private static let prefix = "SKB_DROP_REASON_"

    private var names: [UInt32: String] = [:]
    private var modulesRead = false

    /// Reasons of the kernel proper.
    private(set) var coreCount = 0

    /// Whether the kernel gives reasons at all.
    var exist: Bool { coreCount > 0 }

    /// Whether TCP has reasons of its own, so that its discards pass the tracepoint (5.18).
    private(set) var includeTCP = false

    /// Reads the running kernel's.
    init() {
        for (name, value) in KernelEnumeration.enumerators(of: "skb_drop_reason") {
            guard let short = Self.shorten(name), names[value] == nil else { continue }
            names[value] = short
            if short == "TCP_OLD_DATA" { includeTCP = true }
        }
        coreCount = names.count
    }

    private static func shorten(_ name: String) -> String? {
        if name == "SKB_NOT_DROPPED_YET" { return "NOT_DROPPED_YET" }
        if name == "SKB_CONSUMED" { return "CONSUMED" }
        guard name.hasPrefix(prefix) else { return nil }
        let short = String(name.dropFirst(prefix.count))
        return short == "MAX" || short == "SUBSYS_MASK" ? nil : short
    }

    /// The name of a reason; a number in hexadecimal where the kernel has no name for it.
    mutating func name(_ reason: UInt32) -> String {
        if let name = names[reason] { return name }
        if reason >> Self.subsystemShift != 0 && !modulesRead {
            readModules()
            if let name = names[reason] { return name }
        }
        return "0x" + String(reason, radix: 16)
    }

    /// Modules name theirs in enumerations of their own (net/openvswitch/drop.h: enum ovs_drop_reason;
    /// net/mac80211/drop.h: enum mac80211_drop_reason).
    private mutating func readModules() {
        modulesRead = true
        for (_, name, value) in KernelEnumeration.moduleEnumerators(whereNameContains: "drop_reason")
        where value >> Self.subsystemShift != 0 && names[value] == nil && !name.hasPrefix("__") {
            names[value] = name.hasPrefix(Self.prefix) ? Self.shorten(name) : name
        }
    }

    /// The number of a name, with or without its prefix, in any case; nil when the kernel has none such.
    mutating func number(_ name: String) -> UInt32? {
        let upper = name.uppercased()
        let wanted = upper.hasPrefix(Self.prefix) ? String(upper.dropFirst(Self.prefix.count)) : upper
        if let found = names.first(where: { $0.value == wanted }) { return found.key }
        if !modulesRead {
            readModules()
            return names.first { $0.value == wanted }?.key
        }
        return nil
    }
}
