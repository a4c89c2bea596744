// RUN: STEPWELL_ROUNDTRIP
// RUN: STEPWELL_GENERIC_ROUNDTRIP

// One op compares numbers of every kind, one by one or lane by lane; `u` is for unsigned ones.
%x, %v, %n, %i = "test.op"() : () -> (f32, vector<16xf32>, i8, index)
// CHECK: %x, %v, %n, %i = "test.op"()

%0 = loop.compare lt %x, %x : f32
// CHECK-NEXT: loop.compare lt %x, %x : f32
%1 = loop.compare ne %v, %v : vector<16xf32>
// CHECK-NEXT: loop.compare ne %v, %v : vector<16xf32>
%2 = loop.compare uge %n, %n : i8
// CHECK-NEXT: loop.compare uge %n, %n : i8
%3 = loop.compare le %i, %i : index
// CHECK-NEXT: loop.compare le %i, %i : index
%4 = loop.select %1, %v, %v : vector<16xi1>, vector<16xf32>
// CHECK-NEXT: loop.select %{{.*}}, %v, %v : vector<16xi1>, vector<16xf32>
%5 = loop.extract %v at <3> : vector<16xf32> to f32
// CHECK-NEXT: loop.extract %v at <3> : vector<16xf32> to f32
