// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Text on its way to a file descriptor, in one buffer that is reused.
///
/// Nothing here allocates per record. Whole lines reach the descriptor: `flush` is called at line ends.
public final class OutputBuffer {
    private let descriptor: Int32
    private let writeSize: Int
    private var bytes: UnsafeMutableRawBufferPointer
    private var used = 0

    /// The reader is gone (EPIPE) or the descriptor fails: what follows is discarded.
    public private(set) var isClosed: Bool
    /// What writing failed with, unless it was that the reader is gone; 0: nothing.
    public private(set) var failure: Int32 = 0
    /// A descriptor that is readable when the run is to end; -1: none. See `endBy`.
    public var stopFile: Int32 = -1
    /// CLOCK_MONOTONIC when a reader that takes nothing is given up. Without it (`.max`) it is waited for until
    /// the run is to end, and then for `grace` more.
    public var endBy = UInt64.max
    /// Nanoseconds that a reader has at the end of a run.
    public static let grace: UInt64 = 5_000_000_000

    /// - Parameter descriptor: negative: nothing is ever written, for a buffer whose text is taken.
    public init(descriptor: Int32 = STDOUT_FILENO, capacity: Int = 1 << 16) {
        self.descriptor = descriptor
        isClosed = descriptor < 0
        writeSize = clinux_write_size(descriptor)
        bytes = .allocate(byteCount: max(capacity, 1024), alignment: 8)
    }

    deinit { bytes.deallocate() }

    /// Bytes that wait.
    public var count: Int { used }

    /// Makes room for `size` more bytes, growing for a single record larger than the buffer.
    private func reserve(_ size: Int) {
        guard used + size > bytes.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count * 2, used + size), alignment: 8)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<used]))
        bytes.deallocate()
        bytes = larger
    }

    /// Writes what waits. Call at a line's end.
    public func flush() {
        var written = 0
        while written < used && waitForReader() {
            let size = write(descriptor, bytes.baseAddress.map { $0 + written }, min(used - written, writeSize))
            if size >= 0 {
                written += size
            } else if errno != EINTR && errno != EAGAIN {
                isClosed = true
                failure = errno == EPIPE ? 0 : errno
            }
        }
        used = 0
    }

    /// Waits until the reader takes something; false when it is gone, or given up.
    private func waitForReader() -> Bool {
        while !isClosed {
            switch clinux_wait_writable(descriptor, stopFile, 100) {
            case 1: return true
            case 2: endBy = min(endBy, monotonicNow() + Self.grace)
            default: break
            }
            if monotonicNow() >= endBy {
                isClosed = true
                failure = ETIMEDOUT
            }
        }
        return false
    }

    /// Writes what waits when it fills most of the buffer. Call at a line's end.
    @inline(__always)
    public func flushIfFull() {
        if used > bytes.count - bytes.count / 4 { flush() }
    }

    /// What waits, as a string; it is not written.
    public func takeString() -> String {
        defer { used = 0 }
        return String(decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[..<used]), as: UTF8.self)
    }

    // MARK: Appending

    @inline(__always)
    public func byte(_ value: UInt8) {
        reserve(1)
        bytes[used] = value
        used += 1
    }

    public func newline() { byte(0x0a) }
    public func space() { byte(0x20) }

    public func raw(_ buffer: UnsafeRawBufferPointer) {
        reserve(buffer.count)
        guard let from = buffer.baseAddress, let to = bytes.baseAddress else { return }
        memcpy(to + used, from, buffer.count)
        used += buffer.count
    }

    public func text(_ value: StaticString) {
        raw(UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
    }

    public func string(_ value: String) {
        var value = value
        value.withUTF8 { raw(UnsafeRawBufferPointer($0)) }
    }

    /// Blanks up to `width` columns from `start`, a former `count`.
    public func pad(from start: Int, to width: Int) {
        var missing = width - (used - start)
        while missing > 0 {
            space()
            missing -= 1
        }
    }

    /// A C string of at most `limit` bytes; what is not printable ASCII becomes "?".
    public func cString(_ pointer: UnsafeRawPointer, limit: Int) {
        for index in 0..<limit {
            let value = pointer.load(fromByteOffset: index, as: UInt8.self)
            guard value != 0 else { return }
            byte(value < 0x20 || value > 0x7e ? 0x3f : value)
        }
    }

    public func decimal(_ value: UInt64, width: Int = 0, fill: UInt8 = 0x20) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var at = 20
            var rest = value
            repeat {
                at -= 1
                digits[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            var blanks = width - (20 - at)
            while blanks > 0 {
                byte(fill)
                blanks -= 1
            }
            raw(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[at...]))
        }
    }

    public func decimal(_ value: Int64) {
        if value < 0 { byte(0x2d) }
        decimal(value.magnitude)
    }

    /// A number with `places` decimals, given in units of the last place.
    public func fixed(_ value: UInt64, places: Int) {
        var unit: UInt64 = 1
        for _ in 0..<places { unit *= 10 }
        decimal(value / unit)
        if places > 0 {
            byte(0x2e)
            decimal(value % unit, width: places, fill: 0x30)
        }
    }

    /// Lower-case hexadecimal digits, at least `width` of them.
    public func hex(_ value: UInt64, width: Int = 1) {
        var digits = max(width, 1)
        while digits < 16 && value >> UInt64(digits * 4) != 0 { digits += 1 }
        for digit in stride(from: digits - 1, through: 0, by: -1) {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64(digit * 4)) & 15
            byte(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
        }
    }
}
