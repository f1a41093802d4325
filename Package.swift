// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// The measurements, one line each: executable, folder of its area under Tools/, Swift target of its area.
let measurements: [(tool: String, folder: String, area: String)] = [
    ("eth-drop", "packet-drop", "PacketDrop"),
    ("drop-summary", "packet-drop", "PacketDrop"),
]

let areas = Set(measurements.map(\.area)).sorted()
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "plumbline",
    products: [.executable(name: "plumbline", targets: ["plumbline"])]
        + measurements.map { .executable(name: $0.tool, targets: [$0.tool]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // Layers, lowest first. A target depends only on those above it in this list.
        .target(
            name: "CLibbpf",
            linkerSettings: [
                .linkedLibrary("bpf"), .linkedLibrary("elf"), .linkedLibrary("z"),
                .unsafeFlags(["-Xlinker", "--wrap=btf__load_vmlinux_btf"]),
            ]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "BPFTypes", path: "bpf/types"),
        .target(name: "BPFObjects", cSettings: [.disableWarning("c23-extensions")]),
        .target(name: "BPFRuntime", dependencies: ["CLibbpf", "CLinux", "BPFTypes", "BPFObjects"]),
        .target(name: "Measurement", dependencies: ["BPFRuntime", "CLinux", "BPFTypes", argumentParser]),
    ]
        + areas.map { .target(name: $0, dependencies: ["Measurement", "BPFRuntime", "BPFTypes", argumentParser]) }
        + measurements.map {
            .executableTarget(
                name: $0.tool, dependencies: ["Measurement", .target(name: $0.area)],
                path: "Tools/\($0.folder)/\($0.tool)")
        }
        + [
            .executableTarget(
                name: "plumbline", dependencies: ["Measurement", argumentParser] + areas.map { .target(name: $0) },
                path: "Tools/plumbline"),
            .testTarget(name: "BPFRuntimeTests", dependencies: ["BPFRuntime", "CLibbpf", "BPFTypes"]),
            .testTarget(name: "MeasurementTests", dependencies: ["Measurement", "BPFTypes"]),
        ]
        + areas.map { .testTarget(name: "\($0)Tests", dependencies: [.target(name: $0), "Measurement", "BPFRuntime"]) },
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
    target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
}
