// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Glibc
import Measurement
import Synchronization
import Testing

import class Foundation.Thread

@Suite struct OutputBufferTests {
    private func written(capacity: Int = 1 << 16, _ body: (OutputBuffer) -> Void) -> String {
        let output = OutputBuffer(descriptor: -1, capacity: capacity)
        body(output)
        return output.takeString()
    }

    // MARK: Numbers

    @Test(arguments: [
        (0, "0"), (9, "9"), (10, "10"), (1_234_567_890, "1234567890"), (.max, "18446744073709551615"),
    ] as [(UInt64, String)])
    func decimal(value: UInt64, text: String) {
        #expect(written { $0.decimal(value) } == text)
    }

    @Test func signedDecimal() {
        #expect(written { $0.decimal(Int64(-7)) } == "-7")
        #expect(written { $0.decimal(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.decimal(Int64.max) } == "9223372036854775807")
    }

    @Test func width() {
        #expect(written { $0.decimal(UInt64(42), width: 5) } == "   42")
        #expect(written { $0.decimal(UInt64(42), width: 5, fill: 0x30) } == "00042")
        #expect(written { $0.decimal(UInt64(123_456), width: 5) } == "123456")
    }

    @Test func fixed() {
        #expect(written { $0.fixed(12345, places: 3) } == "12.345")
        #expect(written { $0.fixed(5, places: 3) } == "0.005")
        #expect(written { $0.fixed(1000, places: 3) } == "1.000")
        #expect(written { $0.fixed(7, places: 0) } == "7")
        #expect(written { $0.fixed(.max, places: 1) } == "1844674407370955161.5")
    }

    @Test func hex() {
        #expect(written { $0.hex(0) } == "0")
        #expect(written { $0.hex(0xabc) } == "abc")
        #expect(written { $0.hex(0xabc, width: 4) } == "0abc")
        #expect(written { $0.hex(0x12345, width: 2) } == "12345")
        #expect(written { $0.hex(.max) } == "ffffffffffffffff")
        #expect(written { $0.hex(1, width: 16) } == "0000000000000001")
    }

    /// Tenths and thousandths from counts and times.
    @Test func decimalFunction() {
        #expect(Measurement.decimal(1_500_000_000, 1_000_000_000, 3) == "1.500")
        #expect(Measurement.decimal(0, 1_000_000_000, 3) == "0.000")
        #expect(Measurement.decimal(10, 1, 0) == "10")
        #expect(Measurement.decimal(1_001_000_000, 1_000_000_000, 3) == "1.001")
        #expect(Measurement.decimal(4_100_000_000, 1_000_000_000, 3) == "4.100")
        #expect(Measurement.decimal(999_999_999, 1_000_000_000, 3) == "1.000")
    }

    // MARK: Text

    @Test func padding() {
        let text = written { output in
            output.text("ab")
            let start = output.count
            output.string("xyz")
            output.pad(from: start, to: 6)
            output.byte(0x7c)
            output.pad(from: start, to: 2)
            output.byte(0x7c)
        }
        #expect(text == "abxyz   ||")
    }

    @Test func cStrings() {
        let bytes: [UInt8] = [0x61, 0x09, 0x1b, 0x7f, 0x62, 0, 0x63]
        #expect(bytes.withUnsafeBytes { bytes in written { $0.cString(bytes.baseAddress!, limit: 7) } } == "a???b")
        #expect(bytes.withUnsafeBytes { bytes in written { $0.cString(bytes.baseAddress!, limit: 1) } } == "a")
    }

    @Test func growth() {
        let long = String(repeating: "0123456789", count: 10_000)
        let text = written(capacity: 1) { output in
            output.text("a")
            output.string(long)
            for _ in 0..<5000 { output.byte(0x62) }
        }
        #expect(text == "a" + long + String(repeating: "b", count: 5000))
    }

    @Test func nothingIsWrittenOfNothing() {
        #expect(written { $0.raw(UnsafeRawBufferPointer(start: nil, count: 0)) } == "")
        #expect(written { $0.string("") } == "")
    }

    // MARK: Descriptors

    private struct Pipe {
        let reader: Int32
        let writer: Int32

        init() throws {
            var files: [Int32] = [-1, -1]
            try #require(pipe(&files) == 0)
            (reader, writer) = (files[0], files[1])
        }

        func read(_ size: Int) -> String {
            var bytes = [UInt8](repeating: 0, count: size)
            let count = Glibc.read(reader, &bytes, size)
            return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        }
    }

    @Test func flushWritesOnce() throws {
        let pipe = try Pipe()
        defer {
            close(pipe.reader)
            close(pipe.writer)
        }
        let output = OutputBuffer(descriptor: pipe.writer, capacity: 1024)
        output.string("one\n")
        output.flushIfFull()
        #expect(output.count == 4)
        output.flush()
        #expect(output.count == 0)
        output.string("two\n")
        output.flush()
        output.flush()
        #expect(pipe.read(100) == "one\ntwo\n")
        #expect(!output.isClosed)
        output.string(String(repeating: "x", count: 800))
        output.flushIfFull()
        #expect(output.count == 0)
    }

    @Test func aReaderThatLeft() throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = try Pipe()
        defer { close(pipe.writer) }
        let output = OutputBuffer(descriptor: pipe.writer)
        output.string("line\n")
        output.flush()
        #expect(!output.isClosed)
        close(pipe.reader)
        output.string("line\n")
        #expect(!output.isClosed)
        output.flush()
        #expect(output.isClosed && output.failure == 0)
        // What follows goes nowhere, and does not pile up.
        output.string("line\n")
        output.flush()
        #expect(output.count == 0)
    }

    @Test func aDescriptorThatFails() {
        // A number that no descriptor has.
        let output = OutputBuffer(descriptor: 1_000_000)
        output.string("line\n")
        output.flush()
        #expect(output.isClosed && output.failure == EBADF)
    }

    /// A pipe that does not block and holds less than is written.
    @Test func aSlowReader() throws {
        let pipe = try Pipe()
        #expect(fcntl(pipe.writer, F_SETFL, O_NONBLOCK) == 0)
        let size = 1 << 20
        let done = DispatchSemaphore(value: 0)
        let reader = pipe.reader
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 1 << 14)
            while true {
                let count = Glibc.read(reader, &bytes, bytes.count)
                guard count > 0 else { break }
                SlowReader.total.withLock { $0 += count }
            }
            done.signal()
        }
        let output = OutputBuffer(descriptor: pipe.writer)
        output.string(String(repeating: "z", count: size))
        output.flush()
        #expect(!output.isClosed)
        close(pipe.writer)
        done.wait()
        close(pipe.reader)
        #expect(SlowReader.total.withLock { $0 } == size)
    }

    private enum SlowReader {
        static let total = Mutex(0)
    }
}
