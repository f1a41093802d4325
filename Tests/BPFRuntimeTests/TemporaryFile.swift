// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Calls `body` with the path of a file that is there for the call.
@discardableResult
func withFile<Result>(_ content: Data, _ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("plumbline-\(UUID().uuidString)").path
    try content.write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}
