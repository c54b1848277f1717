from tests.simulation.simulate import main

if __name__ == "__main__":
    main()
