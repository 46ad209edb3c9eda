// Nothing is compiled here but the headers that tests share (tests/CMakeLists.txt).
