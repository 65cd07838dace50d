// A backend of Etsy's StatsD: at each flush, and at the end, it appends all that the server has to a file, one JSON object a line.
'use strict'

const fs = require('fs')

exports.init = (_, config, events) => {
  events.on('flush', (_, { counters, gauges, timers, timer_counters, timer_data }) => {
    const all = { counters, gauges, timers, timer_counters, timer_data }
    fs.appendFileSync(config.dumpTo, `${JSON.stringify(all)}\n`)
  })
  return true
}
