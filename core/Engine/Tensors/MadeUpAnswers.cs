using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Engine.Tensors;

/// <summary>What a graph that is no decoder answers to made-up inputs, which tells whether two forms of it compute the same.</summary>
public static class MadeUpAnswers
{
    private const int Rows = 2, Seed = 1;

    /// <summary>The numbers of all outputs; of texts, their bytes. What is no finite number is 0.</summary>
    /// <exception cref="ModelLoadException">No made-up input can be run.</exception>
    public static float[] Of(OrtSession session, TensorGraph graph)
    {
        if (graph.Inputs.Any(input => input.Dimensions is null))
            throw new ModelLoadException("the graph does not say how many dimensions its inputs have, so that no input can be made up for it");
        string[] outputs = [.. graph.Outputs.Select(output => output.Name)];
        Exception? fault = null;
        foreach (var size in BatchProbe.Sizes)
        {
            try
            {
                return Run(session, MadeUpInputs.Make(graph.Inputs, size, Rows, Seed), outputs);
            }
            catch (Exception refused) when (OrtFault.IsExpected(refused) || refused is ArgumentException or OverflowException)
            {
                fault = refused;
            }
        }

        throw new ModelLoadException($"made-up inputs can't be run: {fault!.Message}", fault);
    }

    private static float[] Run(OrtSession session, IReadOnlyList<Tensor> inputs, string[] outputs)
    {
        using TensorSession run = new(session, outputs, ownsSession: false);
        return [.. run.Run([inputs], null)[0].SelectMany(Numbers)];
    }

    private static IEnumerable<float> Numbers(Tensor output)
    {
        var numbers = TensorNumbers.CanRead(output.Type) ? TensorNumbers.Of(output) : [.. output.Data.Span];
        return numbers.Select(number => float.IsFinite(number) ? number : 0);
    }
}
