// Reads lines from standard input with `statsd-parser` and with the checks of Etsy's server, and writes what the first read of each line
// to standard output as JSON, one a line; what one of them refuses ends it with an error.
'use strict'

const fs = require('fs')
const [modules] = process.argv.slice(2)
const parser = require(`${modules}/statsd-parser`)
const { is_valid_packet } = require(`${modules}/statsd/lib/helpers`)

const lines = fs.readFileSync(0, 'utf8').split('\n')
if (lines.pop() !== '') throw new Error('it ends within a line')
const read = lines.map((line) => {
  const stat = parser.matchStatsd(line)
  if (!stat) throw new Error(`statsd-parser refuses ${JSON.stringify(line)}`)
  // What its server does: what stands behind the first colon are fields.
  const values = line.split(':')
  if (values.length !== 2 || !is_valid_packet(values[1].split('|'))) {
    throw new Error(`StatsD refuses ${JSON.stringify(line)}`)
  }
  return JSON.stringify(stat)
})
fs.writeFileSync(1, read.map((stat) => `${stat}\n`).join(''))
