// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import CLinux
import Glibc

/// The records that programs emit, over a ring buffer or a perf buffer, whichever the object has.
///
/// The pointer to a record is valid during the call only: a ring buffer's records are handed out in place.
public struct EventStream: ~Copyable {
    private final class Sink {
        let handler: (UnsafeRawPointer, Int) -> Void
        var received: UInt64 = 0
        /// Records that may still be handed out in this call.
        var budget = 0
        /// Where a perf buffer's record is aligned to 8 bytes; it lies at 4 past that in the buffer.
        let aligned = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 8)

        deinit { aligned.deallocate() }

        init(_ handler: @escaping (UnsafeRawPointer, Int) -> Void) { self.handler = handler }
    }

    private enum Buffer {
        case ring(OpaquePointer)
        case perf(OpaquePointer)
    }

    private let buffer: Buffer
    private let sink: Unmanaged<Sink>
    /// Bytes of the buffer, over all CPUs: what was asked for in powers of two, within bounds.
    public let capacity: Int
    /// Becomes readable when a good part of the buffer is full.
    public let descriptor: Int32

    /// Bytes that the buffer of an object gets for a wish of `bytes`: a power of two of at least one page.
    public static func ringSize(_ bytes: Int) -> UInt32 {
        let page = Int(getpagesize())
        var size = page
        while size < bytes && size < 1 << 30 { size *= 2 }
        return UInt32(size)
    }

    /// - Parameters:
    ///   - object: a loaded object with EVENTS in it.
    ///   - bytes: total buffer size; a perf buffer divides it among the CPUs.
    ///   - handler: called with each record during `consume`, in the order of each CPU.
    public init(
        _ object: borrowing BPFObject, map: String = "events", bytes: Int,
        handler: @escaping (UnsafeRawPointer, Int) -> Void
    ) throws(RuntimeError) {
        let file = try object.descriptor(map)
        let sink = Unmanaged.passRetained(Sink(handler))
        let pages = Self.pagesPerCPU(bytes)
        let opened = object.variant == .btf ? Self.ring(file, sink) : Self.perf(file, sink, pages)
        guard let opened else {
            let number = Int(errno)
            sink.release()
            throw RuntimeError(.loadFailed, "event buffer: \(errorText(number))")
        }
        self.sink = sink
        buffer = opened.buffer
        descriptor = opened.descriptor
        capacity =
            object.variant == .btf ? Int(Self.ringSize(bytes)) : pages * Int(getpagesize()) * max(1, Int(get_nprocs()))
    }

    /// Pages of a perf buffer: a power of two, at most 64 MiB per CPU. Drops sit on one or two CPUs, so on hosts
    /// with many a CPU's share of the whole would be too small: at least 64 KiB, unless the whole is smaller.
    private static func pagesPerCPU(_ bytes: Int) -> Int {
        let share = max(bytes / max(1, Int(get_nprocs())), min(bytes, 1 << 16))
        var pages = 1
        while pages * Int(getpagesize()) < share && pages < 1 << 14 { pages *= 2 }
        return pages
    }

    private static func ring(_ file: Int32, _ sink: Unmanaged<Sink>) -> (buffer: Buffer, descriptor: Int32)? {
        let ring = ring_buffer__new(
            file,
            { context, data, size in
                guard let context, let data else { return 0 }
                let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
                sink.received &+= 1
                sink.budget -= 1
                sink.handler(data, Int(size))
                // Negative: libbpf takes this record as read and leaves its loop.
                return sink.budget > 0 ? 0 : -1
            }, sink.toOpaque(), nil)
        return ring.map { (.ring($0), ring_buffer__epoll_fd($0)) }
    }

    private static func perf(
        _ file: Int32, _ sink: Unmanaged<Sink>, _ pages: Int
    ) -> (buffer: Buffer, descriptor: Int32)? {
        var attributes = perf_event_attr()
        attributes.size = UInt32(MemoryLayout<perf_event_attr>.size)
        attributes.type = PERF_TYPE_SOFTWARE.rawValue
        attributes.config = UInt64(PERF_COUNT_SW_BPF_OUTPUT.rawValue)
        attributes.sample_type = UInt64(PERF_SAMPLE_RAW.rawValue)
        attributes.sample_period = 1
        // Wakes the reader when a quarter of a CPU's buffer is full; the reader polls on a timer too.
        attributes.watermark = 1
        attributes.wakeup_watermark = UInt32(pages * Int(getpagesize()) / 4)
        let perf = perf_buffer__new_raw(
            file, pages, &attributes,
            { context, _, event in
                guard let context, let event, event.pointee.type == PERF_RECORD_SAMPLE.rawValue else {
                    return LIBBPF_PERF_EVENT_CONT
                }
                // struct { perf_event_header; u32 size; char data[size]; } (PERF_SAMPLE_RAW)
                let record = UnsafeRawPointer(event) + MemoryLayout<perf_event_header>.size
                let size = Int(record.load(as: UInt32.self))
                let sink = Unmanaged<Sink>.fromOpaque(context).takeUnretainedValue()
                sink.received &+= 1
                sink.budget -= 1
                guard let base = sink.aligned.baseAddress, size <= sink.aligned.count else {
                    return LIBBPF_PERF_EVENT_CONT
                }
                base.copyMemory(from: record + 4, byteCount: size)
                sink.handler(base, size)
                return LIBBPF_PERF_EVENT_CONT
            }, sink.toOpaque(), nil)
        return perf.map { (.perf($0), perf_buffer__epoll_fd($0)) }
    }

    deinit {
        switch buffer {
        case .ring(let ring): ring_buffer__free(ring)
        case .perf(let perf): perf_buffer__free(perf)
        }
        sink.release()
    }

    /// Records handed out so far. Records emitted by the programs, less these, after the probes are out
    /// and the buffer is drained, is the exact number lost.
    public var received: UInt64 { sink.takeUnretainedValue().received }

    /// Records that one `consume` hands out from a ring buffer, about.
    private static let batch = 4096

    /// Hands out records that are waiting: of a ring buffer a batch, so that a flood does not keep the caller
    /// from its other duties; of a perf buffer what was there at the call.
    /// - Returns: true when more may be waiting.
    @discardableResult
    public func consume() -> Bool {
        let sink = sink.takeUnretainedValue()
        sink.budget = Self.batch
        switch buffer {
        case .ring(let ring):
            _ = ring_buffer__consume(ring)
            return sink.budget <= 0
        case .perf(let perf):
            _ = perf_buffer__consume(perf)
            return false
        }
    }

    /// Hands out all that is left. Call when the programs are out: no more may come in meanwhile.
    public func drain() {
        while consume() {}
    }
}
