import { test } from 'node:test'
import { farmConformance } from '@pictor/core/conformance'
import { conformance } from './conformance.ts'

for (const { name, skip, run } of farmConformance(conformance)) void test(name, { skip: skip ?? false }, run)
