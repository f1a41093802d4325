// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import Glibc
import Testing

/// Sizes of event buffers.
@Suite struct EventBufferTests {
    @Test func aRingIsAPowerOfTwoOfPages() {
        let page = Int(getpagesize())
        for bytes in [0, 1, page, page + 1, 3 * page, 4 << 20, (4 << 20) + 1, 1 << 29] {
            let size = Int(EventStream.ringSize(bytes))
            #expect(size >= max(bytes, page) && size % page == 0 && size & (size - 1) == 0, "\(bytes)")
            #expect(size == page || size / 2 < bytes, "\(bytes): twice what is needed")
        }
        #expect(EventStream.ringSize(1 << 40) == 1 << 30)
    }
}
