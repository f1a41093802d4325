// SPDX-License-Identifier: Apache-2.0
import Foundation
import Measurement
import Testing

@Suite struct FieldWriterTests {
    private func write(_ mode: FieldWriter.Mode, first: Bool = true, _ body: (inout FieldWriter) -> Void) -> String {
        let output = OutputBuffer(descriptor: -1)
        var writer = FieldWriter(output, mode, first: first)
        body(&writer)
        return output.takeString()
    }

    private func json(_ body: (inout FieldWriter) -> Void) throws -> [String: Any] {
        let text = "{\(write(.json, body))}"
        return try #require(JSONText.object(text), "\(text)")
    }

    private func value(_ text: String) throws -> String? { try json { $0.field("v", text) }["v"] as? String }

    private func cell(_ text: String) -> String { write(.csvValues) { $0.field("v", text) } }

    /// A value from bytes, with the rest of the array behind its end.
    private func cString(_ bytes: [UInt8], _ mode: FieldWriter.Mode) -> String {
        bytes.withUnsafeBytes { bytes in write(mode) { $0.field("v", cString: bytes.baseAddress!, limit: bytes.count) } }
    }

    // MARK: One description, three forms

    private func record(_ fields: inout FieldWriter) {
        fields.field("count", UInt64(7))
        fields.field("offset", Int64(-3))
        fields.field("rate", fixed: 125, places: 1)
        fields.field("flag", true)
        fields.field("fixed", "text" as StaticString)
        fields.absent("absent")
        fields.field("name", String("eth0"))
        fields.field("list", ["a", "b"])
        fields.field("hex") { $0.hex(255, width: 4) }
    }

    @Test func allForms() {
        #expect(
            write(.json, record)
                == #""count":7,"offset":-3,"rate":12.5,"flag":true,"fixed":"text","name":"eth0","list":["a","b"],"hex":"00ff""#)
        #expect(write(.csvNames, record) == "count,offset,rate,flag,fixed,absent,name,list,hex")
        #expect(write(.csvValues, record) == "7,-3,12.5,true,text,,eth0,a;b,00ff")
    }

    @Test func aRecordThatGoesOn() {
        #expect(write(.json, first: false) { $0.field("a", UInt64(1)) } == #","a":1"#)
        #expect(write(.csvValues, first: false) { $0.field("a", UInt64(1)) } == ",1")
    }

    @Test func absentFirst() {
        #expect(write(.json) { $0.absent("a"); $0.field("b", UInt64(1)) } == #""b":1"#)
        #expect(write(.csvValues) { $0.absent("a"); $0.field("b", UInt64(1)) } == ",1")
    }

    @Test func aStringThatMayBeMissing() {
        func both(_ fields: inout FieldWriter) {
            fields.field("a", optional: nil)
            fields.field("b", optional: "x")
        }
        #expect(write(.json, both) == #""b":"x""#)
        #expect(write(.csvValues, both) == ",x")
        #expect(write(.csvNames, both) == "a,b")
    }

    // MARK: JSON

    @Test func everyControlCharacter() throws {
        for code in 0..<UInt32(0x80) {
            let text = "a\(try #require(Unicode.Scalar(code)))b"
            #expect(try value(text) == text, "character \(code)")
        }
    }

    @Test(arguments: [#"""#, #"\"#, #"\""#, #"\u0041"#, "é", "漢字", "🙂", "a\nb\tc\r\n", "\u{2028}", "{\"x\":1}", ""])
    func strings(text: String) throws {
        #expect(try value(text) == text)
    }

    @Test func escapesAreOneLine() {
        #expect(!write(.json) { $0.field("v", String("a\nb\r\u{0}")) }.utf8.contains { $0 < 0x20 })
        #expect(write(.json) { $0.field("v", String("\u{1}\"\\")) } == #""v":"\u0001\"\\""#)
    }

    @Test func numbersAtTheirEnds() throws {
        let fields = try json {
            $0.field("max", UInt64.max)
            $0.field("min", Int64.min)
            $0.field("small", fixed: 1, places: 6)
        }
        #expect((fields["max"] as? NSNumber)?.uint64Value == .max)
        #expect((fields["min"] as? NSNumber)?.int64Value == .min)
        #expect(fields["small"] as? Double == 0.000001)
    }

    @Test func nested() throws {
        let fields = try json { fields in
            fields.field("empty", [String]())
            fields.array("rows", [1, 2, 3]) { row, number in
                row.field("number", UInt64(number))
                row.array("inner", 0..<number) { inner, index in
                    inner.field("index", UInt64(index))
                    inner.field("names", ["a\"", "\\b"])
                }
                row.object("both") { $0.field("twice", UInt64(2 * number)) }
            }
            fields.array("none", [Int]()) { row, number in row.field("number", UInt64(number)) }
            fields.object("nothing") { _ in }
            fields.field("last", false)
        }
        #expect((fields["empty"] as? [String]) == [])
        #expect((fields["none"] as? [Any])?.isEmpty == true)
        #expect((fields["nothing"] as? [String: Any])?.isEmpty == true)
        #expect(fields["last"] as? Bool == false)
        let rows = try #require(fields["rows"] as? [[String: Any]])
        #expect(rows.map { $0["number"] as? Int } == [1, 2, 3])
        #expect(rows.map { ($0["inner"] as? [[String: Any]])?.count } == [1, 2, 3])
        #expect(rows.map { ($0["both"] as? [String: Any])?["twice"] as? Int } == [2, 4, 6])
        let inner = try #require(rows[2]["inner"] as? [[String: Any]])
        #expect(inner[2]["index"] as? Int == 2)
        #expect(inner[2]["names"] as? [String] == ["a\"", "\\b"])
    }

    // MARK: Task and device names

    @Test func namesFromTheKernel() throws {
        #expect(cString(Array("kworker/0:1\0rubbish".utf8), .json) == #""v":"kworker/0:1""#)
        #expect(cString(Array("0123456789abcdef".utf8), .json) == #""v":"0123456789abcdef""#)
        #expect(cString([0, 0x61], .json) == #""v":"""#)
        #expect(cString(Array("a,b\0".utf8), .csvValues) == #""a,b""#)
        #expect(cString(Array("a\"b\0".utf8), .csvValues) == #""a""b""#)
        #expect(cString(Array("a\nb\0".utf8), .csvValues) == "\"a\nb\"")
        #expect(cString(Array("plain\0".utf8), .csvValues) == "plain")
    }

    /// Any process may give itself any bytes for a name.
    @Test(arguments: [[UInt8(0xff)], [0xc3], [0x61, 0xe6, 0xbc], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0x80, 0x22, 0x5c, 0x0a]])
    func namesThatAreNoUTF8(bytes: [UInt8]) throws {
        let text = "{\(cString(bytes + [0], .json))}"
        let name = try #require(JSONText.object(text)?["v"] as? String, "\(text)")
        #expect(name.unicodeScalars.contains("\u{fffd}"))
    }

    @Test func namesInUTF8() throws {
        let text = "{\(cString(Array("naïve-漢".utf8) + [0], .json))}"
        #expect(JSONText.object(text)?["v"] as? String == "naïve-漢")
    }

    // MARK: CSV

    @Test func quoting() {
        #expect(cell("plain text") == "plain text")
        #expect(cell("a,b") == #""a,b""#)
        #expect(cell(#"say "hi""#) == #""say ""hi""""#)
        #expect(cell("a\nb") == "\"a\nb\"")
        #expect(cell("a\rb") == "\"a\rb\"")
        #expect(cell("") == "")
        #expect(write(.csvValues) { $0.field("v", ["a,b", "c"]) } == #""a,b;c""#)
    }
}
