// SPDX-License-Identifier: Apache-2.0
import BPFRuntime
import CLibbpf
import Testing

/// Every legacy object that is in the executable keeps to the limits of Linux 4.19.
@Suite struct LegacyObjectTests {
    @Test func thereAreLegacyObjects() {
        #expect(!ObjectImage.names(.legacy).isEmpty)
    }

    @Test(arguments: ObjectImage.names(.legacy))
    func programsKeepToTheLimits(name: String) throws {
        let object = try ObjectImage(name)
        #expect(!object.programs.isEmpty)
        for program in object.programs {
            let violations = Linux419.violations(of: program.instructions, type: program.type)
            #expect(violations.isEmpty, "\(name), program \(program.name)")
        }
    }

    @Test(arguments: ObjectImage.names(.legacy))
    func mapsKeepToTheLimits(name: String) throws {
        for map in try ObjectImage(name).maps {
            let violations = Linux419.violations(ofMap: map.type, flags: map.flags, isInternal: map.isInternal)
            #expect(violations.isEmpty, "\(name), map \(map.name)")
        }
    }

    /// Subprograms would be in .text, and would count for each program that calls them.
    @Test(arguments: ObjectImage.names(.legacy))
    func sectionsHoldNeitherSubprogramsNorData(name: String) throws {
        let sections = try ObjectImage(name).sections
        #expect(sections[".maps"]?.isEmpty == false, "the sections were not found")
        #expect(sections[".text"]?.isEmpty ?? true)
        for section in sections.keys where !(sections[section]?.isEmpty ?? true) {
            for data in [".data", ".rodata", ".bss", ".kconfig", ".ksyms", ".struct_ops"] {
                #expect(!section.hasPrefix(data), "\(name) has a section \(section)")
            }
        }
    }
}

/// Both objects of a source are the same tool.
@Suite struct ObjectPairTests {
    @Test func theSourcesAreKnown() {
        #expect(Set(ObjectImage.sources).isSuperset(of: ["eth_drop", "drop_summary"]))
    }

    @Test(arguments: ObjectImage.sources)
    func eachSourceHasBoth(source: String) {
        let names = EmbeddedFiles.objects.map(\.name).filter { $0.hasPrefix("\(source).") }
        #expect(names.sorted() == ["\(source).btf", "\(source).legacy"])
    }

    @Test(arguments: ObjectImage.sources)
    func bothHaveTheSamePrograms(source: String) throws {
        let programs = try ObjectVariant.allCases.map { variant in
            try ObjectImage("\(source).\(variant.rawValue)").programs.map(\.name).sorted()
        }
        #expect(programs[0] == programs[1])
    }

    @Test(arguments: EmbeddedFiles.objects.map(\.name))
    func theLicenseIsCompatible(name: String) throws {
        let license = try #require(try ObjectImage(name).license)
        #expect(Linux419.licenses.contains(license))
    }

    /// libbpf reads the bytes in place.
    @Test func theFilesAreAligned() {
        for file in EmbeddedFiles.objects + EmbeddedFiles.kernelTypes {
            #expect(file.bytes.count > 0, "\(file.name)")
            #expect(UInt(bitPattern: file.bytes.baseAddress) % 8 == 0, "\(file.name)")
        }
    }
}
