#pragma once

#include "router/base/check.h"

namespace trunkline::core {

// Where an element keeps its place in a List. An element with several hooks can be in several
// lists.
template <typename T>
struct Hook {
  T* prev = nullptr;
  T* next = nullptr;
};

// Doubly linked list through a hook inside its elements: no allocation, removal of any element in
// constant time. Does not own them; an element leaves the list before it dies.
template <typename T, Hook<T> T::*kHook>
class List {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const { return first_ == nullptr; }
  T* front() const { return first_; }
  static T* Next(const T& element) { return (element.*kHook).next; }
  static T* Prev(const T& element) { return (element.*kHook).prev; }

  void PushBack(T& element) {
    Hook<T>& hook = element.*kHook;
    hook.prev = last_;
    hook.next = nullptr;
    if (last_ == nullptr) {
      first_ = &element;
    } else {
      (last_->*kHook).next = &element;
    }
    last_ = &element;
  }

  // REQUIRES: `element` is in this list.
  void Remove(T& element) {
    Hook<T>& hook = element.*kHook;
    (hook.prev == nullptr ? first_ : (hook.prev->*kHook).next) = hook.next;
    (hook.next == nullptr ? last_ : (hook.next->*kHook).prev) = hook.prev;
  }

  // Null when empty.
  T* PopFront() {
    T* element = first_;
    if (element == nullptr) return nullptr;
    first_ = (element->*kHook).next;
    (first_ == nullptr ? last_ : (first_->*kHook).prev) = nullptr;
    return element;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace trunkline::core
