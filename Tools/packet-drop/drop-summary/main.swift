// SPDX-License-Identifier: Apache-2.0
import Measurement
import PacketDrop

CommandLineTool.run(DropSummary.self)
