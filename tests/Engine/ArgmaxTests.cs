using System.Numerics.Tensors;
using CsCheck;
using R1Serverless.Engine.Sampling;

namespace R1Serverless.Tests.Engine;

public sealed class ArgmaxTests
{
    [Fact]
    public void Finds_what_the_library_finds() =>
        Gen.Frequency((400, Gen.Single[-50, 50]), (1, Gen.Const(float.NaN)), (9, Gen.Const(7f)), (9, Gen.Const(float.NegativeInfinity)),
            (1, Gen.Const(float.PositiveInfinity))).Array[1, 5000].Sample(
                values => Assert.Equal(TensorPrimitives.IndexOfMax(values), Argmax.Of(values)), iter: 2000);

    [Fact]
    public void The_lowest_of_equals_wins_across_blocks()
    {
        var values = new float[5000];
        (values[4999], values[3000], values[1025]) = (1, 1, 1);
        Assert.Equal(1025, Argmax.Of(values));
    }
}
