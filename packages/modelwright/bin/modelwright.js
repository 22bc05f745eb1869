#!/usr/bin/env node
// Stands outside of dist/ so that package managers can link the command before the first build.
import '../dist/bin.js';
