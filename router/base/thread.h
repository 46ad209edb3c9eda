#pragma once

namespace trunkline {

// What a thread is to the scheduler.
enum class ThreadClass {
  kData,     // carries messages: runs soon after it wakes, for short slices
  kService,  // everything else: waits behind data threads where processors are short, never starves
};

// Names the calling thread (at most 15 characters) and tells the scheduler what it is. New threads
// inherit it, and a service thread cannot go back, so start data threads first. Needs no privilege;
// what the kernel does not know (slices, before Linux 6.12) is left out.
void BeginThread(const char* name, ThreadClass thread_class);

}  // namespace trunkline
