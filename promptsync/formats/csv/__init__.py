"""CSV as vendors write it: records, strict quotes, headers, blocks, cells typed by column."""
