// SPDX-License-Identifier: Apache-2.0
import Foundation

/// JSON read by someone else's parser.
enum JSONText {
    static func object(_ text: String) -> [String: Any]? {
        try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    }
}
