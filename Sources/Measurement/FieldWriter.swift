// SPDX-License-Identifier: Apache-2.0

/// How a report is written.
public enum OutputFormat: String, Sendable, CaseIterable {
    /// For people.
    case text
    /// One JSON object per line.
    case json
    /// Rows with one header line; header and summary as comments.
    case csv
}

/// Writes the fields of one record, as JSON members or as CSV cells, from one description of the record.
public struct FieldWriter {
    /// What the fields become.
    public enum Mode: Sendable {
        case json
        case csvNames
        case csvValues
    }

    public let output: OutputBuffer
    public let mode: Mode
    private var first: Bool

    /// - Parameter first: whether the next field starts the record.
    public init(_ output: OutputBuffer, _ mode: Mode, first: Bool = true) {
        self.output = output
        self.mode = mode
        self.first = first
    }

    /// Writes separator and name; true when a value is wanted.
    private mutating func begin(_ name: StaticString) -> Bool {
        if !first { output.byte(0x2c) }
        first = false
        switch mode {
        case .csvNames:
            output.text(name)
            return false
        case .csvValues:
            return true
        case .json:
            output.byte(0x22)
            output.text(name)
            output.text("\":")
            return true
        }
    }

    public mutating func field(_ name: StaticString, _ value: UInt64) {
        if begin(name) { output.decimal(value) }
    }

    public mutating func field(_ name: StaticString, _ value: Int64) {
        if begin(name) { output.decimal(value) }
    }

    /// A number with decimals, given in units of the last place.
    public mutating func field(_ name: StaticString, fixed value: UInt64, places: Int) {
        if begin(name) { output.fixed(value, places: places) }
    }

    public mutating func field(_ name: StaticString, _ value: Bool) {
        if begin(name) { output.text(value ? "true" : "false") }
    }

    public mutating func field(_ name: StaticString, _ value: StaticString) {
        if begin(name) { quoted { $0.text(value) } }
    }

    public mutating func field(_ name: StaticString, _ value: String) {
        guard begin(name) else { return }
        escaped(value)
    }

    /// A C string of at most `limit` bytes.
    public mutating func field(_ name: StaticString, cString pointer: UnsafeRawPointer, limit: Int) {
        guard begin(name) else { return }
        var length = 0
        var plain = true
        while length < limit {
            let byte = pointer.load(fromByteOffset: length, as: UInt8.self)
            guard byte != 0 else { break }
            if byte < 0x20 || byte > 0x7e || byte == 0x22 || byte == 0x5c || byte == 0x2c { plain = false }
            length += 1
        }
        let bytes = UnsafeRawBufferPointer(start: pointer, count: length)
        if plain {
            quoted { $0.raw(bytes) }
        } else {
            escaped(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// A value that needs no escaping, written by `body`, in quotes for JSON.
    public mutating func field(_ name: StaticString, text body: (OutputBuffer) -> Void) {
        if begin(name) { quoted(body) }
    }

    /// An absent value: no member in JSON, an empty cell in CSV.
    public mutating func absent(_ name: StaticString) {
        if mode != .json { _ = begin(name) }
    }

    /// A string that may be missing.
    public mutating func field(_ name: StaticString, optional value: String?) {
        if let value { field(name, value) } else { absent(name) }
    }

    /// Strings: an array in JSON, one cell with semicolons between in CSV.
    public mutating func field(_ name: StaticString, _ values: [String]) {
        guard begin(name) else { return }
        if mode == .json {
            output.byte(0x5b)
            for (index, value) in values.enumerated() {
                if index > 0 { output.byte(0x2c) }
                escaped(value)
            }
            output.byte(0x5d)
        } else {
            escaped(values.joined(separator: ";"))
        }
    }

    /// A JSON object; not for CSV.
    public mutating func object(_ name: StaticString, _ body: (inout FieldWriter) -> Void) {
        guard begin(name) else { return }
        output.byte(0x7b)
        var inner = FieldWriter(output, mode)
        body(&inner)
        output.byte(0x7d)
    }

    /// A JSON array of objects; not for CSV.
    public mutating func array<Values: Sequence>(
        _ name: StaticString, _ values: Values, _ body: (inout FieldWriter, Values.Element) -> Void
    ) {
        guard begin(name) else { return }
        output.byte(0x5b)
        var separator = false
        for value in values {
            if separator { output.byte(0x2c) }
            separator = true
            output.byte(0x7b)
            var inner = FieldWriter(output, mode)
            body(&inner, value)
            output.byte(0x7d)
        }
        output.byte(0x5d)
    }

    private func quoted(_ body: (OutputBuffer) -> Void) {
        if mode == .json { output.byte(0x22) }
        body(output)
        if mode == .json { output.byte(0x22) }
    }

    private func escaped(_ value: String) {
        if mode == .json {
            output.byte(0x22)
            for byte in value.utf8 {
                switch byte {
                case 0x22, 0x5c:
                    output.byte(0x5c)
                    output.byte(byte)
                case 0..<0x20:
                    output.text("\\u00")
                    output.hex(UInt64(byte), width: 2)
                default: output.byte(byte)
                }
            }
            output.byte(0x22)
        } else if value.utf8.contains(where: { $0 == 0x2c || $0 == 0x22 || $0 == 0x0a || $0 == 0x0d }) {
            output.byte(0x22)
            for byte in value.utf8 {
                if byte == 0x22 { output.byte(0x22) }
                output.byte(byte)
            }
            output.byte(0x22)
        } else {
            output.string(value)
        }
    }
}
