// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Foundation
import Testing

/// /proc/kallsyms, from files made for the purpose.
@Suite struct KernelSymbolsTests {
    private func symbols(_ lines: [String]) throws -> KernelSymbols {
        try withFile(Data(lines.map { $0 + "\n" }.joined().utf8)) { try KernelSymbols(path: $0) }
    }

    private func kernel() throws -> KernelSymbols {
        try symbols([
            "ffffffff81000000 T _stext",
            "ffffffff81000000 T _text_alias",
            "ffffffff81000100 T kfree_skb",
            "ffffffff81000200 t tcp_drop",
            "ffffffff81000300 W weak_function",
            "ffffffff81000380 w another_weak",
            "ffffffff82000000 D some_data",
            "ffffffff82000010 b some_bss",
            "ffffffff82000020 r __func__.12345",
        ])
    }

    private func module() throws -> KernelSymbols {
        try symbols([
            "ffffffffc0402000 t ovs_output\t[openvswitch]",
            "ffffffffc0400000 t vhost_notify\t[vhost]",
            "ffffffff81000100 T kfree_skb",
            "ffffffffc0400100 t vhost_signal\t[vhost]",
            "ffffffffc0402100 t ovs_vport\t[openvswitch]",
            "ffffffff81000000 T _stext",
        ])
    }

    // MARK: locate

    @Test func aFunctionsStartMiddleAndLastByte() throws {
        let symbols = try kernel()
        #expect(symbols.hasAddresses)
        #expect(symbols.count == 6)
        let start = try #require(symbols.locate(0xffff_ffff_8100_0100))
        #expect(start.function == "kfree_skb" && start.offset == 0 && start.module == nil)
        let middle = try #require(symbols.locate(0xffff_ffff_8100_0142))
        #expect(middle.function == "kfree_skb" && middle.offset == 0x42)
        let last = try #require(symbols.locate(0xffff_ffff_8100_01ff))
        #expect(last.function == "kfree_skb" && last.offset == 0xff)
        #expect(symbols.locate(0xffff_ffff_8100_0300)?.function == "weak_function")
        #expect(symbols.locate(0xffff_ffff_8100_0380)?.function == "another_weak")
    }

    @Test func ofSeveralNamesTheFirst() throws {
        let symbols = try kernel()
        #expect(symbols.locate(0xffff_ffff_8100_0000)?.function == "_stext")
        #expect(symbols.locate(0xffff_ffff_8100_0001)?.function == "_stext")
    }

    @Test func nothingBeforeTheFirstFunction() throws {
        let symbols = try kernel()
        #expect(symbols.locate(0xffff_ffff_80ff_ffff) == nil)
        #expect(symbols.locate(0) == nil)
        #expect(symbols.locate(1) == nil)
    }

    @Test func nothingInAHole() throws {
        let symbols = try module()
        // 1 MiB and more behind the last function of the kernel.
        #expect(symbols.locate(0xffff_ffff_8100_0100 + 0xfffff)?.function == "kfree_skb")
        #expect(symbols.locate(0xffff_ffff_8100_0100 + 0x100000) == nil)
        #expect(symbols.locate(0xffff_ffff_b000_0000) == nil)
        #expect(symbols.locate(.max) == nil)
    }

    @Test func modulesInAnyOrder() throws {
        let symbols = try module()
        #expect(symbols.count == 6)
        let vhost = try #require(symbols.locate(0xffff_ffff_c040_0010))
        #expect(vhost.function == "vhost_notify" && vhost.offset == 0x10 && vhost.module == "vhost")
        #expect(symbols.locate(0xffff_ffff_c040_0100)?.module == "vhost")
        #expect(symbols.locate(0xffff_ffff_c040_2000)?.module == "openvswitch")
        let port = try #require(symbols.locate(0xffff_ffff_c040_2105))
        #expect(port.function == "ovs_vport" && port.module == "openvswitch")
        let kernel = try #require(symbols.locate(0xffff_ffff_8100_0101))
        #expect(kernel.function == "kfree_skb" && kernel.module == nil)
    }

    // MARK: Addresses hidden

    @Test func hiddenAddresses() throws {
        let symbols = try symbols([
            "0000000000000000 T kfree_skb", "0000000000000000 t vhost_notify.isra.0\t[vhost]", "0000000000000000 D data",
        ])
        #expect(!symbols.hasAddresses)
        #expect(symbols.count == 2)
        #expect(symbols.locate(0xffff_ffff_8100_0100) == nil)
        #expect(symbols.locate(0) == nil)
        #expect(symbols.ranges(ofFunction: "kfree_skb").isEmpty)
        // Names are enough for a probe.
        #expect(symbols.probeTarget("kfree_skb") == "kfree_skb")
        #expect(symbols.probeTarget("vhost_notify") == "vhost_notify.isra.0")
    }

    private func areVisible(_ lines: [String]) throws -> Bool {
        try withFile(Data(lines.map { $0 + "\n" }.joined().utf8)) { KernelSymbols.areVisible(path: $0) }
    }

    @Test func visibility() throws {
        #expect(try areVisible(["ffffffff81000000 T _stext", "ffffffff81000100 T kfree_skb"]))
        #expect(try !areVisible(["0000000000000000 T _stext", "0000000000000000 T kfree_skb"]))
        #expect(try !areVisible([]))
        #expect(!KernelSymbols.areVisible(path: "/nonexistent/kallsyms"))
    }

    /// x86-64 kernels before 6.15 list per-CPU data first, from address zero on.
    @Test func visibilityBehindPerCPUData() throws {
        let isVisible = try areVisible([
            "0000000000000000 A fixed_percpu_data", "0000000000000000 A __per_cpu_start",
            "0000000000001000 A cpu_debug_store", "ffffffff81000000 T _stext",
        ])
        #expect(isVisible)
    }

    // MARK: Names to probe

    private func target(_ names: [String], _ function: String = "notify") throws -> String? {
        try symbols(names.enumerated().map { "ffffffff8100\(String(0x1000 + $0 * 16, radix: 16)) t \($1)" })
            .probeTarget(function)
    }

    @Test func theExactNameIsPreferred() throws {
        #expect(try target(["notify.isra.0", "notify.constprop.1", "notify", "notify.cold"]) == "notify")
    }

    @Test func elseTheShortestClone() throws {
        #expect(try target(["notify.isra.0.constprop.7", "notify.constprop.12", "notify.isra.3"]) == "notify.isra.3")
        #expect(try target(["notify.constprop.0.isra.0"]) == "notify.constprop.0.isra.0")
    }

    @Test(arguments: [
        "notify.part.0", "notify.cold", "notify.cold.5", "notify.isra.0.cold", "notify.isra.0.part.1",
        "notify.constprop.0.cold.3",
    ])
    func neverAPartOfAFunction(name: String) throws {
        #expect(try target([name]) == nil)
        #expect(try target([name, "notify.isra.0"]) == "notify.isra.0")
    }

    @Test func neverAnotherFunction() throws {
        #expect(try target(["notify_all", "vhost_notify", "notif", "notify_all.isra.0"]) == nil)
        #expect(try target([]) == nil)
    }

    // MARK: Code of a function

    @Test func rangesCoverTheFunctionAndItsPieces() throws {
        let symbols = try symbols([
            "ffffffff81000000 T first", "ffffffff81000100 t drop", "ffffffff81000100 t alias_of_drop",
            "ffffffff81000180 t drop_other", "ffffffff81000200 t drop.part.0", "ffffffff81000240 t drop.cold",
            "ffffffff81000280 T last",
        ])
        let base: UInt64 = 0xffff_ffff_8100_0000
        #expect(
            symbols.ranges(ofFunction: "drop") == [
                base + 0x100..<base + 0x180, base + 0x200..<base + 0x240, base + 0x240..<base + 0x280,
            ])
        #expect(symbols.ranges(ofFunction: "alias_of_drop") == [base + 0x100..<base + 0x180])
        #expect(symbols.ranges(ofFunction: "drop.cold") == [base + 0x240..<base + 0x280])
        // Nothing follows the last one.
        #expect(symbols.ranges(ofFunction: "last") == [base + 0x280..<base + 0x280 + 0x100000])
        #expect(symbols.ranges(ofFunction: "dro").isEmpty)
        #expect(symbols.ranges(ofFunction: "nowhere").isEmpty)
    }

    // MARK: The file

    /// Lines of many lengths, so that the reader's 64 KiB pieces end everywhere in a line.
    @Test func aFileOfManyPieces() throws {
        let base: UInt64 = 0xffff_ffff_8100_0000
        func name(_ index: Int) -> String { "f\(index)_" + String(repeating: "x", count: index % 97) }
        let lines = (0..<6000).map { index -> String in
            let module = index >= 5000 ? "\t[module_\(index / 100)]" : ""
            return "\(String(base + UInt64(index) * 32, radix: 16)) t \(name(index))\(module)"
        }
        #expect(lines.reduce(0) { $0 + $1.utf8.count + 1 } > 6 << 16)
        let symbols = try symbols(lines)
        #expect(symbols.count == 6000)
        for index in 0..<6000 {
            let found = symbols.locate(base + UInt64(index) * 32 + 5)
            let isRight =
                found?.function == name(index) && found?.offset == 5
                && found?.module == (index >= 5000 ? "module_\(index / 100)" : nil)
            #expect(isRight, "function \(index)")
        }
        #expect(symbols.probeTarget(name(5999)) == name(5999))
    }

    @Test func linesThatAreNoSymbolsAreSkipped() throws {
        let symbols = try symbols(["", "x", "ffffffff81000000", "ffffffff81000000 T", "zzzz T bad", "ffffffff81000010 T good"])
        #expect(symbols.count == 1)
        #expect(symbols.locate(0xffff_ffff_8100_0010)?.function == "good")
    }

    /// CONFIG_PREFIX_SYMBOLS: every function has a symbol of its own for the padding before it.
    @Test func paddingIsNoFunction() throws {
        let symbols = try symbols([
            "ffffffff81000000 T first", "ffffffff810000f0 T __pfx_tcp_drop", "ffffffff81000100 T tcp_drop",
            "ffffffff81000200 T not__pfx_",
        ])
        #expect(symbols.count == 3)
        #expect(symbols.locate(0xffff_ffff_8100_0100)?.function == "tcp_drop")
        #expect(symbols.probeTarget("__pfx_tcp_drop") == nil)
        #expect(symbols.locate(0xffff_ffff_8100_0200)?.function == "not__pfx_")
    }

    @Test func anEmptyFile() throws {
        let symbols = try symbols([])
        #expect(symbols.count == 0 && !symbols.hasAddresses)
        #expect(symbols.locate(0xffff_ffff_8100_0000) == nil)
    }

    @Test func aMissingFile() throws {
        let error = #expect(throws: RuntimeError.self) { _ = try KernelSymbols(path: "/nonexistent/kallsyms") }
        #expect(error?.kind == .unsupported)
        #expect(error?.description == "/nonexistent/kallsyms: No such file or directory (2)")
    }
}
