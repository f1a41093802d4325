// SPDX-License-Identifier: Apache-2.0
import CLibbpf
import Glibc

/// A map of a loaded object. Keys and values are C structs of `BPFTypes`, or integers.
///
/// Valid as long as the object it came from.
public struct BPFMap<Key: BitwiseCopyable, Value: BitwiseCopyable>: Sendable {
    let file: Int32
    public let name: String

    init(file: Int32, name: String, map: OpaquePointer, perCPU: Bool = false) throws(RuntimeError) {
        self.file = file
        self.name = name
        let keySize = Int(bpf_map__key_size(map))
        let valueSize = Int(bpf_map__value_size(map))
        // A key may have been shortened before load (setKeySize): the rest of Key is then always zero.
        guard keySize <= MemoryLayout<Key>.size, valueSize == MemoryLayout<Value>.size else {
            throw RuntimeError(
                .loadFailed,
                "map \(name): \(keySize)+\(valueSize) bytes in the object, \(MemoryLayout<Key>.size)+\(MemoryLayout<Value>.size) in this program"
            )
        }
    }

    /// The value at a key; nil when there is none.
    public func lookup(_ key: Key) -> Value? {
        withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer in
            guard let value = buffer.baseAddress else { return nil }
            var key = key
            return bpf_map_lookup_elem(file, &key, value) == 0 ? value.pointee : nil
        }
    }

    /// Sets the value at a key.
    public func update(_ key: Key, _ value: Value) throws(RuntimeError) {
        var key = key
        var value = value
        let result = bpf_map_update_elem(file, &key, &value, 0)
        if result != 0 { throw RuntimeError(.loadFailed, "map \(name): \(errorText(Int(result)))") }
    }

    /// Deletes a key; false when it was not there.
    @discardableResult
    public func delete(_ key: Key) -> Bool {
        var key = key
        return bpf_map_delete_elem(file, &key) == 0
    }

    /// Calls `body` with every key, each once, in no order.
    ///
    /// `body` may delete the key it is given. Keys that programs insert meanwhile may or may not be
    /// visited. At most `limit` steps are taken, so a map that is being filled cannot hold it for ever.
    /// - Returns: false when the limit ended the walk.
    @discardableResult
    public func forEachKey(limit: Int, _ body: (Key) -> Void) -> Bool {
        withUnsafeTemporaryAllocation(of: Key.self, capacity: 2) { keys in
            guard let current = keys.baseAddress else { return false }
            memset(current, 0, 2 * MemoryLayout<Key>.stride)
            let next = current + 1
            guard bpf_map_get_next_key(file, nil, current) == 0 else { return true }
            for _ in 0..<limit {
                // The next key first: a deleted key has no successor.
                let more = bpf_map_get_next_key(file, current, next) == 0
                body(current.pointee)
                guard more else { return true }
                current.pointee = next.pointee
            }
            return false
        }
    }
}

/// A map with one value per CPU at each key.
public struct PerCPUMap<Value: BitwiseCopyable>: Sendable {
    let map: BPFMap<UInt32, Value>

    /// The values at an index, one per possible CPU.
    /// - Throws: `RuntimeError` when the kernel refuses.
    public func values(at index: UInt32 = 0) throws(RuntimeError) -> [Value] {
        let cpus = Int(libbpf_num_possible_cpus())
        guard cpus > 0 else { throw RuntimeError(.unsupported, "number of CPUs: \(errorText(cpus))") }
        // The kernel rounds each CPU's value up to 8 bytes (kernel/bpf/arraymap.c, 4.19).
        let stride = (MemoryLayout<Value>.size + 7) & ~7
        let values = withUnsafeTemporaryAllocation(byteCount: stride * cpus, alignment: 8) { buffer -> [Value] in
            guard let base = buffer.baseAddress else { return [] }
            var key = index
            guard bpf_map_lookup_elem(map.file, &key, base) == 0 else { return [] }
            return (0..<cpus).map { base.load(fromByteOffset: $0 * stride, as: Value.self) }
        }
        if values.isEmpty { throw RuntimeError(.loadFailed, "map \(map.name): \(errorText(Int(errno)))") }
        return values
    }

    /// The sum over all CPUs of a value that consists of 64-bit counters alone.
    /// - Throws: `RuntimeError` when the kernel refuses.
    public func sum(at index: UInt32 = 0) throws(RuntimeError) -> [UInt64] {
        let words = MemoryLayout<Value>.size / 8
        var total = [UInt64](repeating: 0, count: words)
        for value in try values(at: index) {
            withUnsafeBytes(of: value) { bytes in
                for word in 0..<words { total[word] &+= bytes.load(fromByteOffset: word * 8, as: UInt64.self) }
            }
        }
        return total
    }
}

/// A stack-trace map: kernel stacks by id.
public struct StackMap: Sendable {
    let file: Int32
    /// Frames that an entry holds.
    let depth: Int

    /// The return addresses of a stack, innermost first; empty when the id is unknown.
    public func frames(_ id: Int32) -> [UInt64] {
        guard id >= 0 else { return [] }
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: depth) { buffer in
            guard let base = buffer.baseAddress else { return [] }
            var key = UInt32(id)
            guard bpf_map_lookup_elem(file, &key, base) == 0 else { return [] }
            return Array(buffer.prefix { $0 != 0 })
        }
    }

    /// Forgets every stack.
    public func clear() {
        var key: UInt32 = 0
        var steps = 0
        while steps < 1 << 20, bpf_map_get_next_key(file, nil, &key) == 0 {
            bpf_map_delete_elem(file, &key)
            steps += 1
        }
    }
}
